// Loads a URL on this machine: throughput with many connections, latency with one. Bounded in time and count.
import { execFile } from 'node:child_process'
import http from 'node:http'
import { promisify } from 'node:util'

import autocannon from 'autocannon'

import { percentile } from './result.ts'

const run = promisify(execFile)

export type Loader = 'wrk' | 'autocannon'

/** wrk costs less than a loader in Node, so it leaves more of the machine to what is measured. */
export async function findLoader(): Promise<Loader> {
  return run('wrk', ['--version']).then(
    () => 'wrk',
    // wrk exits with 1 after printing its version
    (error: { code: unknown }) => (error.code === 1 ? 'wrk' : 'autocannon'),
  )
}

/** @returns requests per second that were answered with 2xx @throws when any was not */
export async function throughput(loader: Loader, url: string, connections: number, seconds: number): Promise<number> {
  if (loader === 'wrk') {
    const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, url])
    if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`not every answer of ${url} was 2xx:\n${stdout}`)
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
  }
  const result = await autocannon({ url, connections, duration: seconds })
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${result.non2xx + result.errors} answers of ${url} were not 2xx`)
  return result.requests.average
}

/** So that what takes long for a call does not take long to measure. */
const LATENCY_LIMIT_MS = 4000

/** One request after the other on one connection: as many, or what a few seconds have room for. */
export async function latencies(url: string, count: number): Promise<{ p50Us: number; p99Us: number }> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  try {
    const from = performance.now()
    const within = (share: number): boolean => performance.now() - from < share * LATENCY_LIMIT_MS
    for (let warm = 0; warm < count / 4 && within(0.25); warm++) await get(url, agent)
    const times: number[] = []
    while (times.length < count && within(1)) times.push((await get(url, agent)) * 1000)
    return { p50Us: percentile(times, 0.5), p99Us: percentile(times, 0.99) }
  } finally {
    agent.destroy()
  }
}

export interface Crowd {
  /** Of the calls that were answered with 200, ms. */
  readonly times: readonly number[]
  readonly lastMs: number
  readonly failed: number
}

/** Calls all of these at the same moment. The first failure is told on standard error. */
export async function callAll(urls: readonly string[], agent: http.Agent): Promise<Crowd> {
  const from = performance.now()
  const settled = await Promise.allSettled(urls.map((url) => get(url, agent)))
  const lastMs = performance.now() - from
  const failures = settled.filter((each) => each.status === 'rejected')
  if (failures[0] !== undefined)
    console.error(`${failures.length} of ${urls.length} calls failed: ${failures[0].reason}`)
  const times = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  return { times, lastMs, failed: failures.length }
}

/** @returns milliseconds until the whole answer was there @throws when it is not 2xx */
export function get(url: string, agent: http.Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const start = performance.now()
    const request = http.get(url, { agent }, (response) => {
      response.resume()
      response.once('error', reject)
      response.once('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - start)
        else
          reject(new Error(`${url} answered ${response.statusCode} ${String(response.headers['hearth-error'] ?? '')}`))
      })
    })
    request.once('error', reject)
  })
}
