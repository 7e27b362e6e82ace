// Many functions that are called for the first time at the same moment, with and without generic sandboxes in stock.
// Beside each round as many plain `node` processes are started at once.
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

import { BENCH_FUNCTIONS, type BenchFunction, deployAll } from '../functions.ts'
import { callAll, type Crowd } from '../load.ts'
import type { Options } from '../options.ts'
import { plainBurst } from '../plain.ts'
import { Platform, STEM_CELLS, UNBOUNDED_MEMORY } from '../platform.ts'
import { type BenchResult, summarize, summarizeAll } from '../result.ts'

const FUNCTIONS = 50
/** Longer than a burst, so that no sandbox ends while others start. */
const KEEP_ALIVE = '5s'
const QUIET_MS = 500
const MEASURED = BENCH_FUNCTIONS.filter(({ name }) => name !== 'js-warm')

interface Subject {
  readonly title: string
  readonly names: readonly string[]
  readonly platform: Platform
  readonly rounds: Crowd[]
}

/** @param platform without generic sandboxes */
export async function burst(platform: Platform, { runs }: Options): Promise<readonly BenchResult[]> {
  await using stocked = await Platform.start({ ...STEM_CELLS, ...UNBOUNDED_MEMORY })
  console.error(`burst: deploying ${FUNCTIONS} functions of each runtime, twice`)
  const subjects = [...(await subjectsOn(platform, 'no stem cells')), ...(await subjectsOn(stocked, 'stem cells'))]
  const plain: number[] = []
  for (let round = 0; round < runs; round++) {
    plain.push(await plainBurst(FUNCTIONS))
    for (const each of subjects) each.rounds.push(await callOnce(each))
    console.error(`burst: round ${round + 1} of ${runs}`)
  }
  return [
    summarize({ name: `burst ${FUNCTIONS} plain node processes: time to the last answer`, unit: 'ms' }, plain),
    ...subjects.flatMap((each) => resultsOf(each, plain)),
  ]
}

async function subjectsOn(platform: Platform, stock: string): Promise<readonly Subject[]> {
  const subjects: Subject[] = []
  for (const each of MEASURED) {
    const copies = Array.from({ length: FUNCTIONS }, (_, index): BenchFunction => ({
      ...each,
      name: `${each.name}-${index}`,
    }))
    const names = (await deployAll(platform, { keepAlive: KEEP_ALIVE }, copies)).map(({ name }) => name)
    if (names.length > 0) subjects.push({ title: `${each.name}, ${stock}`, names, platform, rounds: [] })
  }
  return subjects
}

async function callOnce({ names, platform }: Subject): Promise<Crowd> {
  await platform.allScaledToZero()
  await sleep(QUIET_MS)
  const agent = new http.Agent({ keepAlive: true })
  const crowd = await callAll(
    names.map((name) => `${platform.url}/fn/${name}`),
    agent,
  )
  agent.destroy()
  return crowd
}

function resultsOf({ title, rounds }: Subject, plain: readonly number[]): readonly BenchResult[] {
  const name = `burst ${FUNCTIONS} × ${title}`
  const times = rounds.map((round) => round.times)
  return [
    summarize(
      { name: `${name}: time to the last answer`, unit: 'ms' },
      rounds.map(({ lastMs }) => lastMs),
      plain,
    ),
    summarizeAll({ name: `${name}: p50`, unit: 'ms' }, 0.5, times),
    summarizeAll({ name: `${name}: p99`, unit: 'ms' }, 0.99, times),
    summarize({ name: `${name}: failed calls`, unit: '', aim: { of: 'value', most: 0 }, runs: rounds.length }, [
      rounds.reduce((sum, { failed }) => sum + failed, 0),
    ]),
  ]
}
