// The first call after scale to zero, per runtime: what a caller waits for, HTTP included. Containers twice: without
// generic sandboxes in stock, and with one that waits for code.
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

import { type BenchFunction, deployAll } from '../functions.ts'
import { get } from '../load.ts'
import type { Options } from '../options.ts'
import { Platform } from '../platform.ts'
import { type Aim, type BenchResult, percentile, summarize } from '../result.ts'

const CALLS_PER_RUN = 8
const KEEP_ALIVE = '20ms'
/** What the call before has set off is over then: the end of its sandbox, and the making of the next in stock. */
const QUIET_MS = 500
const AIMS: Readonly<Record<string, Aim>> = {
  node: { of: 'value', most: 200 },
  python: { of: 'value', most: 200 },
  'js-reset': { of: 'value', most: 30 },
  wasm: { of: 'value', most: 30 },
}
const CELL_AIMS: Readonly<Record<string, { readonly p50: Aim; readonly p99: Aim }>> = {
  node: { p50: { of: 'value', most: 6 }, p99: { of: 'value', most: 20 } },
  python: { p50: { of: 'value', most: 4 }, p99: { of: 'value', most: 12 } },
}

/** First calls of one function on one platform, a list for each round. */
interface Subject {
  readonly name: string
  readonly platform: Platform
  /** Sandboxes in stock that must be there before a call. */
  readonly generic: number
  readonly rounds: number[][]
}

/** @param platform without generic sandboxes */
export async function cold(platform: Platform, { runs }: Options): Promise<readonly BenchResult[]> {
  await using stocked = await Platform.start({ HEARTH_STEM_CELLS: 'auto' })
  const plain = (await deployed(platform)).map(({ name }) => subject(name, platform, 0))
  const cells = (await deployed(stocked)).filter(inContainer).map(({ name }) => subject(name, stocked, 1))
  console.error(`cold: ${runs} rounds of ${CALLS_PER_RUN} first calls per runtime`)
  for (let round = 0; round < runs; round++) {
    for (const each of [...plain, ...cells]) each.rounds.push(await firstCalls(each))
    console.error(`cold: round ${round + 1} of ${runs}`)
  }
  return [...plain.flatMap(plainResults), ...cells.flatMap((each) => cellResults(each, plain))]
}

async function deployed(platform: Platform): Promise<readonly BenchFunction[]> {
  return (await deployAll(platform, { keepAlive: KEEP_ALIVE })).filter(({ name }) => name in AIMS)
}

function inContainer({ driver }: BenchFunction): boolean {
  return driver === 'docker'
}

function subject(name: string, platform: Platform, generic: number): Subject {
  return { name, platform, generic, rounds: [] }
}

async function firstCalls({ name, platform, generic }: Subject): Promise<number[]> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const times: number[] = []
  for (let call = 0; call < CALLS_PER_RUN; call++) {
    await platform.scaledToZero(name, generic)
    await sleep(QUIET_MS)
    times.push(await get(`${platform.url}/fn/${name}`, agent))
  }
  agent.destroy()
  return times
}

function plainResults({ name, rounds }: Subject): readonly BenchResult[] {
  const slowest = rounds.map((times) => Math.max(...times))
  return [
    summarize({ name: `cold ${name}: p50 of first calls`, unit: 'ms', aim: AIMS[name]! }, p50s(rounds)),
    summarize({ name: `cold ${name}: slowest first call`, unit: 'ms' }, slowest),
  ]
}

/** With those without a stock in the same rounds as the baseline. */
function cellResults({ name, rounds }: Subject, plain: readonly Subject[]): readonly BenchResult[] {
  const without = plain.find((each) => each.name === name)!.rounds
  const { p50, p99 } = CELL_AIMS[name]!
  const all = [rounds, without].map((each) => percentile(each.flat(), 0.99))
  const title = `cold ${name}, stem cell ready`
  return [
    summarize({ name: `${title}: p50 of first calls`, unit: 'ms', aim: p50 }, p50s(rounds), p50s(without)),
    summarize({ name: `${title}: p99 of all`, unit: 'ms', aim: p99 }, [all[0]!], [all[1]!]),
  ]
}

function p50s(rounds: readonly number[][]): number[] {
  return rounds.map((times) => percentile(times, 0.5))
}
