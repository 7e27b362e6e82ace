// One function with a long backlog of calls of 50 ms, and one that gets five a second: what the second waits, and what
// the first loses by it. Real js functions; the waits are those that the records tell.
import { setTimeout as sleep } from 'node:timers/promises'

import type { Options } from '../options.ts'
import type { Platform } from '../platform.ts'
import { type About, type Aim, type BenchResult, summarize, summarizeAll } from '../result.ts'

const BACKLOG = 10_000
const RUN_MS = 50
const EVERY_MS = 200
/** Of the second function alone, ms. */
const ALONE_MS = 10_000
const MOST_WAIT_MS = 250
const CODE = `export default { fetch: async () => { await new Promise((resolve) => setTimeout(resolve, ${RUN_MS})); return new Response('ok') } }`
const SPEC = { runtime: 'js', instances: 'warm', concurrency: '16' }
/** Of the first function, over all processes. */
const CAP = 40
/** Enough for the cap. */
const GREEDY = { ...SPEC, asyncConcurrency: String(CAP), maxSandboxes: '3' }
const MODEST = { ...SPEC, maxSandboxes: '1' }
const BATCH = Array.from({ length: BACKLOG }, () => '{}').join('\n')
const PAGE = 500

interface Timed {
  readonly acceptedAt: number
  readonly startedAt: number
  readonly finishedAt: number
}

interface Round {
  /** Calls per second of the first function. */
  readonly alone: number
  readonly shared: number
  readonly cap: number
  /** ms */
  readonly waitsAlone: readonly number[]
  readonly waits: readonly number[]
}

export async function fairness(platform: Platform, { runs }: Options): Promise<readonly BenchResult[]> {
  const rounds: Round[] = []
  for (let round = 0; round < runs; round++) {
    rounds.push(await measure(platform))
    console.error(`fairness: round ${round + 1} of ${runs}`)
  }
  const waits = rounds.map((round) => round.waits)
  const waitsAlone = rounds.map((round) => round.waitsAlone)
  return [
    summarizeAll(about('p50 wait, against alone'), 0.5, waits, waitsAlone),
    summarizeAll(about('p99 wait beside a backlog', { of: 'value', most: MOST_WAIT_MS }), 0.99, waits),
    summarizeAll(about('p99 wait, against alone', { of: 'ratio', most: 3 }), 0.99, waits, waitsAlone),
    summarize(
      { name: 'fairness: the backlog, against alone', unit: '/s', aim: { of: 'ratio', least: 0.9 } },
      rounds.map(({ shared }) => shared),
      rounds.map(({ alone }) => alone),
    ),
    summarize(
      { name: 'fairness: most of the backlog at once', unit: '', aim: { of: 'value', most: CAP } },
      rounds.map(({ cap }) => cap),
    ),
  ]
}

function about(name: string, aim?: Aim): About {
  return { name: `fairness: ${name}`, unit: 'ms', aim }
}

/** The functions are new in each round, so that the records are those of the round. */
async function measure(platform: Platform): Promise<Round> {
  await platform.deploy('greedy', 'text/javascript', CODE, GREEDY)
  await platform.deploy('modest', 'text/javascript', CODE, MODEST)
  const alone = await backlog(platform)
  const aloneUntil = performance.now() + ALONE_MS
  await trickle(platform, () => performance.now() > aloneUntil)
  const waitsAlone = waitsOf(await finalRecords(platform, 'modest', 0))
  const since = Date.now()
  let isOver = false
  let trickling: Promise<void> | undefined
  const shared = await backlog(platform, () => (trickling = trickle(platform, () => isOver)))
  isOver = true
  await trickling
  const waits = waitsOf(await finalRecords(platform, 'modest', since))
  const cap = mostAtOnce(await finalRecords(platform, 'greedy', since))
  for (const name of ['greedy', 'modest']) await platform.remove(name)
  return { alone, shared, cap, waitsAlone, waits }
}

/**
 * @param onAccepted called when the backlog is there: what it costs to accept it is another matter
 * @returns calls per second, from the first start to the last end
 */
async function backlog(platform: Platform, onAccepted?: () => void): Promise<number> {
  const since = Date.now()
  await platform.json('POST', '/v1/functions/greedy/invocations/batch', 'application/x-ndjson', BATCH)
  onAccepted?.()
  const records = await finalRecords(platform, 'greedy', since)
  const first = records.reduce((least, { startedAt }) => Math.min(least, startedAt), Infinity)
  const last = records.reduce((most, { finishedAt }) => Math.max(most, finishedAt), 0)
  return (records.length / (last - first)) * 1000
}

/** Five a second, whatever becomes of them. */
async function trickle(platform: Platform, isOver: () => boolean): Promise<void> {
  for (let next = performance.now(); !isOver(); next += EVERY_MS) {
    await sleep(Math.max(0, next - performance.now()))
    await platform.json('POST', '/v1/functions/modest/invocations', 'text/plain', 'x')
  }
}

function waitsOf(records: readonly Timed[]): number[] {
  return records.map(({ acceptedAt, startedAt }) => Math.max(0, startedAt - acceptedAt))
}

/** Attempts overlap at most so often. One that ends in the millisecond in which another starts is over. */
function mostAtOnce(records: readonly Timed[]): number {
  const changes = records.flatMap(({ startedAt, finishedAt }) => [
    { at: startedAt, by: 1 },
    { at: finishedAt, by: -1 },
  ])
  let [now, most] = [0, 0]
  for (const { by } of changes.toSorted((a, b) => a.at - b.at || a.by - b.by)) {
    now += by
    most = Math.max(most, now)
  }
  return most
}

/** Of invocations of the function that were accepted since then, once none is queued or runs. */
async function finalRecords(platform: Platform, name: string, since: number): Promise<Timed[]> {
  while (await hasPending(platform, name)) await sleep(20)
  const timed: Timed[] = []
  for (let cursor = ''; ;) {
    const page = (await platform.json(
      'GET',
      `/v1/invocations?function=${name}&since=${since}&limit=${PAGE}${cursor && `&cursor=${cursor}`}`,
    )) as {
      records: { state: string; acceptedAt: number; finishedAt: number; attempts: { startedAt: number }[] }[]
      next?: string
    }
    for (const { state, acceptedAt, finishedAt, attempts } of page.records) {
      if (state !== 'succeeded') throw new Error(`a call of ${name} was expected to succeed: it is ${state}`)
      timed.push({ acceptedAt, startedAt: attempts[0]!.startedAt, finishedAt })
    }
    if (page.next === undefined) return timed
    cursor = encodeURIComponent(page.next)
  }
}

async function hasPending(platform: Platform, name: string): Promise<boolean> {
  for (const state of ['queued', 'running']) {
    const page = await platform.json('GET', `/v1/invocations?function=${name}&state=${state}&limit=1`)
    if ((page as { records: unknown[] }).records.length > 0) return true
  }
  return false
}
