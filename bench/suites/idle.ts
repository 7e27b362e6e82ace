// The idle ladder of a container: what it holds and what its next call takes when it is warm, paused and hibernated.
import { sleep } from '#core/clock'
import type { RuntimeName } from '#core/function'
import { packFiles } from '#core/pack'
import type { Sandbox, SandboxDriver } from '#invoker/sandbox/driver'

import { type BenchResult, summarize } from '../result.ts'
import { Deployed } from './specialize.ts'

const never = new AbortController().signal
const MIB = 1024 * 1024
const CALLS = 20
const REST_MS = 50
/** With 16 MiB of its own, which its calls do not touch. */
const SOURCES: Readonly<Partial<Record<RuntimeName, Readonly<Record<string, string>>>>> = {
  node: {
    'index.mjs': `import { randomBytes } from 'node:crypto'
globalThis.kept = randomBytes(16 << 20)
export const handler = (event) => ({ event })`,
  },
  python: { 'main.py': 'import os\nkept = os.urandom(16 << 20)\ndef handler(event, context):\n    return event\n' },
}

/** @param memoryOf bytes that the sandbox holds */
export async function idle(
  driver: SandboxDriver,
  memoryOf: (sandbox: Sandbox) => Promise<number>,
): Promise<readonly BenchResult[]> {
  const results: BenchResult[] = []
  for (const [runtime, files] of Object.entries(SOURCES)) {
    const source = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]))
    await using code = await Deployed.of(runtime as RuntimeName, packFiles(source))
    await using sandbox = await driver.create(code.version.spec, never)
    const loaded = await sandbox.load(code.code, never)
    if (!loaded.loaded) throw new Error(loaded.failure.message)
    const call = (): Promise<void> => code.call((invocation, sink) => sandbox.invoke(invocation, sink, never))
    for (let index = 0; index < CALLS; index++) await call()
    for (const state of STATES) {
      if (state === 'hibernated' && !(await canHibernate(sandbox))) continue
      const waking: number[] = []
      const memory: number[] = []
      for (let round = 0; round < CALLS; round++) {
        await DESCENT[state](sandbox)
        await sleep(REST_MS, never)
        memory.push((await memoryOf(sandbox)) / MIB)
        const start = performance.now()
        await ASCENT[state](sandbox)
        await call()
        waking.push(performance.now() - start)
      }
      results.push(summarize({ name: `${runtime} ${state}: next call`, unit: 'ms' }, waking))
      results.push(summarize({ name: `${runtime} ${state}: memory`, unit: 'MiB' }, memory))
    }
  }
  return results
}

const STATES = ['warm', 'paused', 'hibernated'] as const

const DESCENT: Readonly<Record<(typeof STATES)[number], (sandbox: Sandbox) => Promise<unknown>>> = {
  warm: async () => {},
  paused: async (sandbox) => sandbox.pause?.(),
  hibernated: async (sandbox) => {
    await sandbox.pause?.()
    return sandbox.hibernate?.()
  },
}

const ASCENT: typeof DESCENT = {
  warm: async () => {},
  paused: async (sandbox) => sandbox.resume?.(),
  hibernated: async (sandbox) => sandbox.resume?.(),
}

async function canHibernate(sandbox: Sandbox): Promise<boolean> {
  await sandbox.pause?.()
  const hibernation = await sandbox.hibernate?.()
  await sandbox.resume?.()
  if (hibernation?.hibernated === true) return true
  console.error(`not hibernated: ${hibernation?.reason ?? 'the driver cannot'}`)
  return false
}
