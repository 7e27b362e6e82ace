// The first call after scale to zero, per runtime: what a caller waits for, HTTP included.
import http from 'node:http'

import { deployAll } from '../functions.ts'
import { get } from '../load.ts'
import type { Platform } from '../platform.ts'
import { type Aim, type BenchResult, percentile, summarize } from '../result.ts'
import type { Options } from '../options.ts'

const CALLS_PER_RUN = 8
const KEEP_ALIVE_MS = '20'
const AIMS: Readonly<Record<string, Aim>> = {
  node: { of: 'value', most: 200 },
  python: { of: 'value', most: 200 },
  'js-reset': { of: 'value', most: 30 },
  wasm: { of: 'value', most: 30 },
}

export async function cold(platform: Platform, { runs }: Options): Promise<readonly BenchResult[]> {
  const functions = (await deployAll(platform, { keepAliveMs: KEEP_ALIVE_MS })).filter(({ name }) => name in AIMS)
  const p50s = new Map(functions.map(({ name }) => [name, [] as number[]]))
  const worst = new Map(functions.map(({ name }) => [name, [] as number[]]))
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  console.error(`cold: ${runs} rounds of ${CALLS_PER_RUN} first calls per runtime`)
  for (let round = 0; round < runs; round++) {
    for (const { name } of functions) {
      const times: number[] = []
      for (let call = 0; call < CALLS_PER_RUN; call++) {
        await platform.scaledToZero(name)
        times.push(await get(`${platform.url}/fn/${name}`, agent))
      }
      p50s.get(name)!.push(percentile(times, 0.5))
      worst.get(name)!.push(Math.max(...times))
    }
    console.error(`cold: round ${round + 1} of ${runs}`)
  }
  agent.destroy()
  return functions.flatMap(({ name }) => [
    summarize({ name: `cold ${name}: p50 of first calls`, unit: 'ms', aim: AIMS[name]! }, p50s.get(name)!),
    summarize({ name: `cold ${name}: slowest first call`, unit: 'ms' }, worst.get(name)!),
  ])
}
