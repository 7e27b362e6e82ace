// The first call after scale to zero, per runtime: what a caller waits for, HTTP included. With and without generic
// sandboxes that wait for code, and beside each round a plain `node` from its start to its first answer.
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

import { BENCH_FUNCTIONS, deployAll } from '../functions.ts'
import { get } from '../load.ts'
import type { Options } from '../options.ts'
import { plainFirstAnswer } from '../plain.ts'
import { Platform, STEM_CELLS } from '../platform.ts'
import { type Aim, type BenchResult, median, percentile, summarize, summarizeAll } from '../result.ts'

const KEEP_ALIVE = '20ms'
/** What the call before has set off is over then, such as the rehearsal of the container made for the stock. */
const QUIET_MS = 250
const PLAIN_STARTS_PER_RUN = 10

/** In ms, of a start from the stock where there is one for the runtime. */
const AIMS: Readonly<Record<string, { readonly p50: Aim; readonly p99: Aim }>> = {
  node: { p50: atMost(6), p99: atMost(20) },
  python: { p50: atMost(4), p99: atMost(12) },
  'js-reset': { p50: atMost(15), p99: atMost(30) },
  wasm: { p50: atMost(5), p99: atMost(15) },
}

const MEASURED = BENCH_FUNCTIONS.filter(({ name }) => name in AIMS)

/** First calls of one function on one platform, a list for each round. */
interface Subject {
  readonly name: string
  readonly title: string
  readonly platform: Platform
  /** Sandboxes in stock that must be there before a call. */
  readonly generic: 0 | 1
  readonly rounds: number[][]
}

/** @param platform without generic sandboxes */
export async function cold(platform: Platform, { runs, calls }: Options): Promise<readonly BenchResult[]> {
  await using stocked = await Platform.start(STEM_CELLS)
  const subjects = [...(await subjectsOn(platform, false)), ...(await subjectsOn(stocked, true))]
  const perRun = Math.ceil(calls / runs)
  console.error(
    `cold: ${runs} rounds of ${perRun} first calls each of ${subjects.map(({ title }) => title).join('; ')}`,
  )
  const plain: number[][] = []
  for (let round = 0; round < runs; round++) {
    plain.push(await plainStarts())
    for (const each of subjects) {
      each.rounds.push(await firstCalls(each, perRun))
      console.error(
        `cold: round ${round + 1} of ${runs}, ${each.title}: p50 ${median(each.rounds.at(-1)!).toFixed(1)} ms`,
      )
    }
  }
  return [
    summarize({ name: 'cold plain node process: p50 to the first answer', unit: 'ms' }, plain.map(median)),
    ...subjects.flatMap((each) => resultsOf(each, plain, hasStocked(each, subjects))),
  ]
}

async function subjectsOn(platform: Platform, stocked: boolean): Promise<Subject[]> {
  const deployed = await deployAll(platform, { keepAlive: KEEP_ALIVE }, MEASURED)
  const subjects: Subject[] = []
  for (const { name } of deployed) {
    const generic = stocked ? await platform.stockFor(name) : 0
    // Without a stock of its kind it is the same as on the other platform.
    if (stocked && generic === 0) continue
    const title = stocked ? `${name}, stem cell ready` : `${name}, no stem cells`
    subjects.push({ name, title, platform, generic, rounds: [] })
  }
  return subjects
}

async function firstCalls({ name, platform, generic }: Subject, calls: number): Promise<number[]> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const times: number[] = []
  for (let call = 0; call < calls; call++) {
    await platform.scaledToZero(name, generic)
    await sleep(QUIET_MS)
    times.push(await get(`${platform.url}/fn/${name}`, agent))
  }
  agent.destroy()
  return times
}

async function plainStarts(): Promise<number[]> {
  const times: number[] = []
  for (let start = 0; start < PLAIN_STARTS_PER_RUN; start++) times.push(await plainFirstAnswer())
  return times
}

/** Whether the same function is also measured with a stock: the aims are then for that. */
function hasStocked({ name, generic }: Subject, subjects: readonly Subject[]): boolean {
  return generic === 0 && subjects.some((each) => each.name === name && each.generic > 0)
}

function resultsOf(
  { name, title, rounds }: Subject,
  plain: readonly number[][],
  aimedElsewhere: boolean,
): BenchResult[] {
  const aims = aimedElsewhere ? undefined : AIMS[name]
  const about = (what: string, aim: Aim | undefined) => ({
    name: `cold ${title}: ${what} of first calls`,
    unit: 'ms',
    aim,
  })
  return [
    summarize(
      about('p50', aims?.p50),
      rounds.map((times) => percentile(times, 0.5)),
      plain.map(median),
    ),
    summarizeAll(about('p99', aims?.p99), 0.99, rounds, plain),
  ]
}

function atMost(most: number): Aim {
  return { of: 'value', most }
}
