// Python calls in processes of their own against calls that share one: what the isolation of a call costs.
import type { Code, SandboxDriver } from '#invoker/sandbox/driver'

import { type BenchResult, percentile, summarize } from '../result.ts'
import { packFiles } from '#core/pack'
import { Deployed } from './specialize.ts'

const never = new AbortController().signal
const CALLS = 200
const MAIN =
  'import json, re, datetime, decimal, collections, hashlib, uuid\ndef handler(event, context):\n    return event\n'

export async function fork(driver: SandboxDriver, runs: number): Promise<readonly BenchResult[]> {
  await using code = await Deployed.of('python', packFiles(new Map([['main.py', Buffer.from(MAIN)]])))
  const shared: number[] = []
  const forked: number[] = []
  for (let run = 0; run < runs; run++) {
    shared.push(await medianCall(driver, code, 'none'))
    forked.push(await medianCall(driver, code, 'fork'))
  }
  return [summarize({ name: 'python call, isolation fork: p50', unit: 'ms' }, forked, shared)]
}

async function medianCall(driver: SandboxDriver, deployed: Deployed, isolation: 'none' | 'fork'): Promise<number> {
  const { code } = deployed
  await using sandbox = await driver.create(code.spec, never)
  const isolated: Code = { ...code, spec: { ...code.spec, isolation } }
  const loaded = await sandbox.load(isolated, never)
  if (!loaded.loaded) throw new Error(loaded.failure.message)
  const times: number[] = []
  for (let index = 0; index < CALLS; index++) {
    const start = performance.now()
    await deployed.call((invocation, sink) => sandbox.invoke(invocation, sink, never))
    times.push(performance.now() - start)
  }
  return percentile(times, 0.5)
}
