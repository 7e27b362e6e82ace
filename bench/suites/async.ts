// Async invocations against bare BullMQ: how fast they are accepted, and how fast all come to their end. The platform
// keeps a record with the result of each and lists them by state; bare BullMQ forgets a job that is done.
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

import { findRedis } from '#store/server/find'

import { BENCH_FUNCTIONS, deployAll } from '../functions.ts'
import type { Options } from '../options.ts'
import type { Platform } from '../platform.ts'
import { postAll } from '../post.ts'
import { type BenchResult, summarize } from '../result.ts'

const run = promisify(execFile)
const JOBS = 8000
const WIDTH = 64
const MEASURED = BENCH_FUNCTIONS.filter(({ name }) => name === 'js-warm' || name === 'node')
/** Its only call never ends while others are accepted, so nothing is measured but accepting. */
const BUSY = 'export default { fetch: () => new Promise((resolve) => setTimeout(resolve, 50_000)) }'
const BUSY_SPEC = { runtime: 'js', instances: 'warm', concurrency: '1', maxSandboxes: '1', timeoutMs: '60000' }

export async function asyncSuite(platform: Platform, { runs }: Options): Promise<readonly BenchResult[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'hearth-bench-redis-'))
  const names = (await deployAll(platform, {}, MEASURED)).map(({ name }) => name)
  const finished = new Map(names.map((name) => [name, [] as number[]]))
  const accepted: number[] = []
  const bare = { added: [] as number[], finished: [] as number[] }
  try {
    await using redis = await findRedis({
      dataDir,
      cacheDir: join(tmpdir(), 'hearth-bench-cache'),
      onProgress: (message) => console.error(message),
      signal: new AbortController().signal,
    })
    for (const name of names) await endToEnd(platform, name)
    console.error(`async: ${runs} rounds of ${JOBS} invocations, ${WIDTH} at once`)
    for (let round = 0; round < runs; round++) {
      const rates = await bareBullmq(new URL(redis.url).pathname)
      bare.added.push(rates.added)
      bare.finished.push(rates.finished)
      accepted.push(await acceptedOnly(platform))
      for (const name of names) finished.get(name)!.push(await endToEnd(platform, name))
      console.error(`async: round ${round + 1} of ${runs}`)
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
  return [
    summarize({ name: 'async: accepted (202)', unit: '/s', aim: { of: 'ratio', least: 0.8 } }, accepted, bare.added),
    ...names.map((name) =>
      summarize(
        { name: `async ${name}: end to end`, unit: '/s', aim: { of: 'ratio', least: 0.5 } },
        finished.get(name)!,
        bare.finished,
      ),
    ),
  ]
}

async function bareBullmq(socketPath: string): Promise<{ added: number; finished: number }> {
  const script = join(import.meta.dirname, '../baselines/bullmq.mjs')
  const { stdout } = await run(process.execPath, [script, socketPath, String(JOBS), String(WIDTH)])
  return JSON.parse(stdout) as { added: number; finished: number }
}

/** @returns 202s per second while no other call of the function runs */
async function acceptedOnly(platform: Platform): Promise<number> {
  await platform.deploy('busy', 'text/javascript', BUSY, BUSY_SPEC)
  await submit(platform, 'busy', WIDTH)
  const start = performance.now()
  await submit(platform, 'busy', JOBS)
  const rate = perSecond(start)
  await platform.json('DELETE', '/v1/functions/busy')
  return rate
}

/** @returns invocations per second from the first POST until all records are final */
async function endToEnd(platform: Platform, name: string): Promise<number> {
  const start = performance.now()
  await submit(platform, name, JOBS)
  while (await hasPending(platform, name)) await sleep(10)
  return perSecond(start)
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

function perSecond(start: number): number {
  return (JOBS / (performance.now() - start)) * 1000
}
