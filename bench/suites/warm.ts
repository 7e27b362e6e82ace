// Warm sync calls against plain node:http: throughput at 32 connections, latency at 1. Rounds are interleaved.
import { deployAll } from '../functions.ts'
import { findLoader, latencies, throughput } from '../load.ts'
import { startPlain } from '../plain.ts'
import type { Platform } from '../platform.ts'
import { type Aim, type BenchResult, summarize } from '../result.ts'
import type { Options } from '../options.ts'

const CONNECTIONS = 32
const LATENCY_CALLS = 4000

const THROUGHPUT_AIMS: Readonly<Record<string, Aim>> = {
  node: { of: 'ratio', least: 0.4 },
  'js-reset': { of: 'ratio', least: 0.08 },
}
const P50_AIMS: Readonly<Record<string, Aim>> = { node: { of: 'ratio', most: 2 } }

export async function warm(platform: Platform, { runs, seconds }: Options): Promise<readonly BenchResult[]> {
  await using plain = await startPlain()
  const loader = await findLoader()
  console.error(`warm: ${CONNECTIONS} connections by ${loader}, ${runs} rounds of ${seconds} s`)
  const functions = await deployAll(platform)
  const targets = ['plain', ...functions.map((each) => each.name)]
  const urlOf = (target: string): string => (target === 'plain' ? plain.url : `${platform.url}/fn/${target}`)
  const rates = new Map(targets.map((target) => [target, [] as number[]]))
  const p50s = new Map(targets.map((target) => [target, [] as number[]]))
  const p99s = new Map(targets.map((target) => [target, [] as number[]]))
  for (const target of targets) await throughput(loader, urlOf(target), CONNECTIONS, 1)
  for (let round = 0; round < runs; round++) {
    for (const target of targets) {
      rates.get(target)!.push(await throughput(loader, urlOf(target), CONNECTIONS, seconds))
      const times = await latencies(urlOf(target), LATENCY_CALLS)
      p50s.get(target)!.push(times.p50Us)
      p99s.get(target)!.push(times.p99Us)
    }
    console.error(`warm: round ${round + 1} of ${runs}`)
  }
  return functions.flatMap(({ name }) => [
    summarize(about(`warm ${name}: throughput`, 'req/s', THROUGHPUT_AIMS[name]), rates.get(name)!, rates.get('plain')),
    summarize(about(`warm ${name}: p50`, 'µs', P50_AIMS[name]), p50s.get(name)!, p50s.get('plain')),
    summarize(about(`warm ${name}: p99`, 'µs'), p99s.get(name)!, p99s.get('plain')),
  ])
}

function about(name: string, unit: string, aim?: Aim): { name: string; unit: string; aim?: Aim } {
  return aim === undefined ? { name, unit } : { name, unit, aim }
}
