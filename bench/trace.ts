// `npm run bench:trace`: keep-alive policies on synthetic traces in virtual time, without a platform or a sandbox; with
// --live the last hours of a trace as calls of a platform, whose pool has a clock by which they pass in minutes.
import { fixed } from '#invoker/pool/keep-alive/fixed'
import { hybridHistogram } from '#invoker/pool/keep-alive/hybrid-histogram'

import { optionsOf } from './command.ts'
import { type BenchResult, percentile, printTable, summarize, writeJson } from './result.ts'
import { type EqualWaste, fixedOfEqualWaste, total, type Totals } from './trace/compare.ts'
import { type App, generate } from './trace/generate.ts'
import { replayLive } from './trace/live/live.ts'
import { type Options, readOptions, USAGE } from './trace/options.ts'
import { printProfile, profile } from './trace/profile.ts'
import { AS_PUBLISHED } from './trace/published.ts'

const MINUTE_MS = 60_000

interface Run {
  readonly apps: readonly App[]
  readonly none: Totals
  readonly fixed10: Totals
  readonly fixed20: Totals
  /** The policy as published, and the fixed window that wastes as much. */
  readonly published: Totals
  readonly publishedEqual: EqualWaste
  readonly learned: Totals
  readonly equal: EqualWaste
  /** Time of the replay with the learned policy: history and decision. */
  readonly learnedMs: number
}

function run(apps: readonly App[]): Run {
  const began = performance.now()
  const learned = total(apps, hybridHistogram())
  const learnedMs = performance.now() - began
  const published = total(apps, hybridHistogram(AS_PUBLISHED))
  return {
    apps,
    none: total(apps, fixed(0)),
    fixed10: total(apps, fixed(10 * MINUTE_MS)),
    fixed20: total(apps, fixed(20 * MINUTE_MS)),
    published,
    publishedEqual: fixedOfEqualWaste(apps, published.wasted),
    learned,
    equal: fixedOfEqualWaste(apps, learned.wasted),
    learnedMs,
  }
}

function results(runs: readonly Run[]): readonly BenchResult[] {
  const cold = (share: number, of: (run: Run) => Totals): number[] =>
    runs.map((each) => 100 * percentile(of(each).coldShares, share))
  const waste = (of: (run: Run) => Totals): number[] => runs.map((each) => of(each).wasted / 1024)
  return [
    summarize(
      p75('no keep-alive'),
      cold(0.75, (each) => each.none),
    ),
    summarize(
      p75('fixed 10 min'),
      cold(0.75, (each) => each.fixed10),
    ),
    summarize(
      p75('fixed 20 min'),
      cold(0.75, (each) => each.fixed20),
    ),
    summarize(
      p75('as published / fixed of equal waste'),
      cold(0.75, (each) => each.published),
      cold(0.75, (each) => each.publishedEqual.totals),
    ),
    summarize(
      { ...p75('learned / fixed of equal waste'), aim: { of: 'ratio', most: 0.35 } },
      cold(0.75, (each) => each.learned),
      cold(0.75, (each) => each.equal.totals),
    ),
    summarize(
      { name: 'cold starts, median app: learned / fixed of equal waste', unit: '%' },
      cold(0.5, (each) => each.learned),
      cold(0.5, (each) => each.equal.totals),
    ),
    wasted(
      'fixed 20 min',
      waste((each) => each.fixed20),
      waste((each) => each.fixed10),
    ),
    wasted(
      'as published',
      waste((each) => each.published),
      waste((each) => each.fixed10),
    ),
    wasted(
      'learned',
      waste((each) => each.learned),
      waste((each) => each.fixed10),
    ),
    summarize(
      { name: 'fixed window of the same waste as learned', unit: 'min' },
      runs.map((each) => each.equal.windowMs / MINUTE_MS),
    ),
    summarize(
      { name: 'history and decision, learned', unit: 'µs/call' },
      runs.map((each) => (1000 * each.learnedMs) / callsOf(each.learned)),
    ),
  ]
}

function p75(policy: string): { readonly name: string; readonly unit: string } {
  return { name: `cold starts, 75th percentile app: ${policy}`, unit: '%' }
}

function wasted(policy: string, values: readonly number[], fixed10: readonly number[]): BenchResult {
  return summarize({ name: `wasted memory-time: ${policy} / fixed 10 min`, unit: 'GB·h' }, values, fixed10)
}

function callsOf({ apps }: Totals): number {
  return apps.reduce((sum, { calls }) => sum + calls, 0)
}

async function main(options: Options): Promise<void> {
  const { live, shape, json } = options
  if (live === undefined) return virtual(options)
  const table = await replayLive(shape, live)
  printTable(table)
  if (json !== undefined) await writeJson(json, table)
}

async function virtual({ runs, shape, profile: profiled, json }: Options): Promise<void> {
  const all = Array.from({ length: runs }, (_, index) => run(generate(index + 1, shape)))
  console.log(`${runs} traces of ${shape.apps} apps, ${shape.days} days; kept warm by ${shape.unit}`)
  const table = results(all)
  printTable(table)
  const first = all[0]
  if (profiled && first !== undefined) printProfile(profile(first.apps, first.learned, first.equal.totals))
  if (json !== undefined) await writeJson(json, table)
}

await main(optionsOf(readOptions, USAGE))
