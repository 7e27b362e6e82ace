// Async invocations, from the POST until every record is final, against one bare BullMQ queue of the same length.
import { execFile } from 'node:child_process'
import http from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

import { findRedis } from '#store/server/find'

import { deployAll } from '../functions.ts'
import type { Options } from '../options.ts'
import type { Platform } from '../platform.ts'
import { type BenchResult, summarize } from '../result.ts'

const run = promisify(execFile)
const JOBS = 4000
const WIDTH = 64

export async function asyncSuite(platform: Platform, { runs }: Options): Promise<readonly BenchResult[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'hearth-bench-redis-'))
  const functions = (await deployAll(platform)).filter(({ name }) => name === 'js-warm' || name === 'node')
  const accepted = new Map(functions.map(({ name }) => [name, [] as number[]]))
  const finished = new Map(functions.map(({ name }) => [name, [] as number[]]))
  const bare: number[] = []
  try {
    await using redis = await findRedis({
      dataDir,
      cacheDir: join(tmpdir(), 'hearth-bench-cache'),
      onProgress: (message) => console.error(message),
      signal: new AbortController().signal,
    })
    console.error(`async: ${runs} rounds of ${JOBS} invocations, ${WIDTH} at once`)
    for (let round = 0; round < runs; round++) {
      bare.push(await bareBullmq(new URL(redis.url).pathname))
      for (const { name } of functions) {
        const rates = await submit(platform, name)
        accepted.get(name)!.push(rates.accepted)
        finished.get(name)!.push(rates.finished)
      }
      console.error(`async: round ${round + 1} of ${runs}`)
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
  return functions.flatMap(({ name }) => [
    summarize({ name: `async ${name}: accepted (202)`, unit: '/s' }, accepted.get(name)!, bare),
    summarize(
      { name: `async ${name}: end to end`, unit: '/s', aim: { of: 'ratio', least: 0.5 } },
      finished.get(name)!,
      bare,
    ),
  ])
}

async function bareBullmq(socketPath: string): Promise<number> {
  const script = join(import.meta.dirname, '../baselines/bullmq.mjs')
  const { stdout } = await run(process.execPath, [script, socketPath, String(JOBS), String(WIDTH)])
  return Number(stdout)
}

async function submit(platform: Platform, name: string): Promise<{ accepted: number; finished: number }> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: WIDTH })
  const start = performance.now()
  let next = 0
  await Promise.all(
    Array.from({ length: WIDTH }, async () => {
      while (next++ < JOBS) await post(`${platform.url}/v1/functions/${name}/invocations`, agent)
    }),
  )
  const accepted = performance.now()
  while (await pending(platform, name)) await sleep(10)
  agent.destroy()
  return { accepted: perSecond(start, accepted), finished: perSecond(start, performance.now()) }
}

async function pending(platform: Platform, name: string): Promise<boolean> {
  for (const state of ['queued', 'running']) {
    const page = await platform.json('GET', `/v1/invocations?function=${name}&state=${state}&limit=1`)
    if ((page as { invocations: unknown[] }).invocations.length > 0) return true
  }
  return false
}

function post(url: string, agent: http.Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: 'Bearer bench', 'content-type': 'text/plain', 'content-length': 5 }
    const request = http.request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume()
      response.once('end', () => {
        if (response.statusCode === 202) resolve()
        else reject(new Error(`${url} answered ${response.statusCode}`))
      })
    })
    request.once('error', reject)
    request.end('hello')
  })
}

function perSecond(start: number, end: number): number {
  return (JOBS / (end - start)) * 1000
}
