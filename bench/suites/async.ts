// Async invocations against bare BullMQ on the same Redis: how fast they are accepted, one by one and in a batch, and how
// fast all come to their end. First what queueing alone costs (baselines/lanes.ts: no HTTP, no sandboxes), then the
// platform with real sandboxes. Hearth keeps a record with input and result of each; bare BullMQ forgets a job that is
// done.
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

import { ask } from '#store/server/ask'
import { findRedis } from '#store/server/find'

import { BENCH_FUNCTIONS, deployAll } from '../functions.ts'
import type { Options } from '../options.ts'
import { Platform } from '../platform.ts'
import { postAll } from '../post.ts'
import { type About, type BenchResult, summarize } from '../result.ts'

const run = promisify(execFile)
const JOBS = 8000
const WIDTH = 64
/** What queueing alone is measured with. */
const FUNCTIONS = [1, 1000]
const MEASURED = BENCH_FUNCTIONS.filter(({ name }) => name === 'js-warm' || name === 'node')
const BATCH = Array.from({ length: JOBS }, () => '{"body":"hello","headers":{"content-type":"text/plain"}}').join('\n')
/** Its only call never ends while others are accepted, so nothing is measured but accepting. */
const BUSY = 'export default { fetch: () => new Promise((resolve) => setTimeout(resolve, 50_000)) }'
const BUSY_SPEC = { runtime: 'js', instances: 'warm', concurrency: '1', maxSandboxes: '1', timeoutMs: '60000' }

/** Of a baseline: per second, and microseconds of processor time of its process and Redis per job. */
interface Rates {
  readonly added: number
  readonly bulk: number
  readonly finished: number
  readonly finishedUs: number
}

interface Round {
  readonly bare: Rates
  /** By number of functions. */
  readonly lanes: ReadonlyMap<number, Pick<Rates, 'finished' | 'finishedUs'>>
  readonly accepted: number
  readonly batch: number
  /** By function. */
  readonly finished: ReadonlyMap<string, number>
}

export async function asyncSuite({ runs }: Options): Promise<readonly BenchResult[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'hearth-bench-redis-'))
  try {
    await using redis = await findRedis({
      dataDir,
      cacheDir: join(tmpdir(), 'hearth-bench-cache'),
      onProgress: (message) => console.error(message),
      signal: new AbortController().signal,
    })
    const path = new URL(redis.url).pathname
    await using platform = await Platform.start({ HEARTH_REDIS_URL: redis.url })
    const names = (await deployAll(platform, {}, MEASURED)).map(({ name }) => name)
    for (const name of names) await endToEnd(platform, name)
    // Counted while the platform has done all that it does; one of them asks.
    const connections = clientsIn(await ask(path, 'client', 'list')) - 1
    console.error(`async: ${runs} rounds of ${JOBS} invocations, ${WIDTH} at once`)
    const rounds: Round[] = []
    for (let round = 0; round < runs; round++) {
      rounds.push(await measure(platform, path, names))
      console.error(`async: round ${round + 1} of ${runs}`)
    }
    return resultsOf(rounds, names, connections)
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function measure(platform: Platform, path: string, names: readonly string[]): Promise<Round> {
  const bare = await baseline('bullmq.mjs', path)
  const lanes = new Map<number, Rates>()
  for (const functions of FUNCTIONS) lanes.set(functions, await baseline('lanes.ts', path, functions))
  const { accepted, batch } = await accepting(platform)
  const finished = new Map<string, number>()
  for (const name of names) finished.set(name, await endToEnd(platform, name))
  return { bare, lanes, accepted, batch, finished }
}

function ratio(least: number): Pick<About, 'unit' | 'aim'> {
  return { unit: '/s', aim: { of: 'ratio', least } }
}

function resultsOf(rounds: readonly Round[], names: readonly string[], connections: number): BenchResult[] {
  const bare = rounds.map((round) => round.bare)
  const finished = bare.map((each) => each.finished)
  const batches = rounds.map(({ batch }) => batch)
  const accepted = rounds.map((round) => round.accepted)
  return [
    summarize(
      { name: 'async: accepted (202), against add', ...ratio(0.8) },
      accepted,
      bare.map(({ added }) => added),
    ),
    summarize(
      { name: `async: a batch of ${JOBS}, against addBulk`, ...ratio(0.7) },
      batches,
      bare.map(({ bulk }) => bulk),
    ),
    ...FUNCTIONS.flatMap((functions) => {
      const name = `async queueing alone, ${functions === 1 ? '1 function' : `${functions} functions`}`
      const own = rounds.map(({ lanes }) => lanes.get(functions)!)
      return [
        summarize(
          { name: `${name}: end to end`, ...ratio(0.7) },
          own.map((each) => each.finished),
          finished,
        ),
        summarize(
          { name: `${name}: processor time of a job`, unit: 'µs' },
          own.map((each) => each.finishedUs),
          bare.map((each) => each.finishedUs),
        ),
      ]
    }),
    ...names.map((name) =>
      summarize(
        { name: `async ${name}: end to end`, ...ratio(0.5) },
        rounds.map((round) => round.finished.get(name)!),
        finished,
      ),
    ),
    summarize({ name: 'async: connections to Redis', unit: '', aim: { of: 'value', most: 3 } }, [connections]),
  ]
}

async function baseline(script: string, socketPath: string, ...more: readonly number[]): Promise<Rates> {
  const args = [join(import.meta.dirname, '../baselines', script), socketPath, JOBS, WIDTH, ...more]
  const { stdout } = await run(process.execPath, args.map(String))
  return JSON.parse(stdout) as Rates
}

/** Per second, while no other call of the function runs: one by one, and in one batch. */
async function accepting(platform: Platform): Promise<{ readonly accepted: number; readonly batch: number }> {
  await platform.deploy('busy', 'text/javascript', BUSY, BUSY_SPEC)
  await submit(platform, 'busy', WIDTH)
  const from = performance.now()
  await submit(platform, 'busy', JOBS)
  const accepted = perSecond(from)
  const batchFrom = performance.now()
  await platform.json('POST', '/v1/functions/busy/invocations/batch', 'application/x-ndjson', BATCH)
  const batch = perSecond(batchFrom)
  await platform.remove('busy')
  return { accepted, batch }
}

/** @returns invocations per second from the first POST until all records are final */
async function endToEnd(platform: Platform, name: string): Promise<number> {
  const from = performance.now()
  await submit(platform, name, JOBS)
  while (await hasPending(platform, name)) await sleep(10)
  return perSecond(from)
}

function submit(platform: Platform, name: string, count: number): Promise<void> {
  const url = `${platform.url}/v1/functions/${name}/invocations`
  const headers = { authorization: 'Bearer bench', 'content-type': 'text/plain' }
  return postAll({ url, headers, body: 'hello', count, connections: WIDTH, status: 202 })
}

async function hasPending(platform: Platform, name: string): Promise<boolean> {
  for (const state of ['queued', 'running']) {
    const page = await platform.json('GET', `/v1/invocations?function=${name}&state=${state}&limit=1`)
    if ((page as { records: unknown[] }).records.length > 0) return true
  }
  return false
}

function clientsIn(list: string | undefined): number {
  return (list ?? '').split('\n').filter((line) => line.startsWith('id=')).length
}

function perSecond(from: number): number {
  return (JOBS / (performance.now() - from)) * 1000
}
