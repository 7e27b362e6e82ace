// Many callers of one function that has no sandbox: how many sandboxes they get, whether anybody fails, and how long the
// last one waits against a single first call in the same round. With and without generic sandboxes in stock.
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

import { BENCH_FUNCTIONS, type BenchFunction, deployAll } from '../functions.ts'
import { callAll, type Crowd, get } from '../load.ts'
import type { Options } from '../options.ts'
import { Platform, STEM_CELLS } from '../platform.ts'
import { type Aim, type BenchResult, median, percentile, summarize } from '../result.ts'

const CALLERS = 32
const CAP = 4
/** Sandboxes are counted after the last answer: none ends before. */
const SPEC = { maxSandboxes: String(CAP), keepAlive: '500ms' }
const SINGLE_CALLS = 3
const QUIET_MS = 250
const SLOW_CODE = `export default { fetch: () => new Promise((resolve) => setTimeout(() => resolve(new Response('hello world')), 50)) }`

const SUBJECTS = BENCH_FUNCTIONS.filter(({ name }) => name !== 'js-warm')
const MEASURED: readonly BenchFunction[] = [
  ...SUBJECTS,
  ...SUBJECTS.map((each) => ({ ...oneAtATime(each), name: `${each.name}-single` })),
  ...SUBJECTS.filter(({ type }) => type === 'text/javascript').map((each) => ({
    ...oneAtATime(each),
    name: `${each.name}-single-50ms`,
    code: () => Promise.resolve(SLOW_CODE),
  })),
]

interface Subject {
  readonly name: string
  readonly title: string
  readonly platform: Platform
  readonly generic: 0 | 1
  readonly rounds: Round[]
}

interface Round extends Crowd {
  readonly singleMs: number
  readonly sandboxes: number
}

/** @param platform without generic sandboxes */
export async function crowd(platform: Platform, { runs }: Options): Promise<readonly BenchResult[]> {
  await using stocked = await Platform.start(STEM_CELLS)
  const subjects = [...(await subjectsOn(platform, false)), ...(await subjectsOn(stocked, true))]
  for (let round = 0; round < runs; round++) {
    for (const each of subjects) each.rounds.push(await roundOf(each))
    console.error(`crowd: round ${round + 1} of ${runs}, ${CALLERS} callers, at most ${CAP} sandboxes`)
  }
  return subjects.flatMap(resultsOf)
}

async function subjectsOn(platform: Platform, stocked: boolean): Promise<Subject[]> {
  const subjects: Subject[] = []
  for (const { name } of await deployAll(platform, SPEC, MEASURED)) {
    const generic = stocked ? await platform.stockFor(name) : 0
    if (stocked && generic === 0) continue
    const title = `${name}, ${stocked ? 'stem cell ready' : 'no stem cells'}`
    subjects.push({ name, title, platform, generic, rounds: [] })
  }
  return subjects
}

/** As functions are that say nothing: a sandbox takes one call at a time. */
function oneAtATime(of: BenchFunction): BenchFunction {
  return { ...of, spec: { ...of.spec, concurrency: '1' } }
}

async function roundOf(subject: Subject): Promise<Round> {
  const url = `${subject.platform.url}/fn/${subject.name}`
  const agent = new http.Agent({ keepAlive: true })
  const singles: number[] = []
  for (let call = 0; call < SINGLE_CALLS; call++) {
    await rest(subject)
    singles.push(await get(url, agent))
  }
  await rest(subject)
  const called = await callAll(
    Array.from({ length: CALLERS }, () => url),
    agent,
  )
  agent.destroy()
  const { generic: _, ...own } = (await subject.platform.view(subject.name)).sandboxes
  const sandboxes = Object.values(own).reduce((sum, count) => sum + count, 0)
  return { ...called, singleMs: median(singles), sandboxes }
}

async function rest({ platform, name, generic }: Subject): Promise<void> {
  await platform.scaledToZero(name, generic)
  await sleep(QUIET_MS)
}

function resultsOf({ name, title, rounds }: Subject): readonly BenchResult[] {
  // Calls that take 50 ms each cannot all be over in two starts, whatever is done.
  const aim: Aim | undefined = name.endsWith('-50ms') ? undefined : { of: 'ratio', most: 2 }
  const about = (what: string, unit: string): { name: string; unit: string } => ({
    name: `crowd ${title}: ${what}`,
    unit,
  })
  return [
    summarize(
      { ...about(`p99 of ${CALLERS} callers / one first call`, 'ms'), aim },
      rounds.map(({ times }) => percentile(times, 0.99)),
      rounds.map(({ singleMs }) => singleMs),
    ),
    summarize({ ...about('most sandboxes made', ''), aim: { of: 'value', most: CAP }, runs: rounds.length }, [
      Math.max(...rounds.map(({ sandboxes }) => sandboxes)),
    ]),
    summarize({ ...about('failed calls', ''), aim: { of: 'value', most: 0 }, runs: rounds.length }, [
      rounds.reduce((sum, { failed }) => sum + failed, 0),
    ]),
  ]
}
