// The functions that are measured: the same hello in every runtime.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Platform } from './platform.ts'

export interface BenchFunction {
  readonly name: string
  /** The driver that it needs. */
  readonly driver: 'docker' | 'wasm'
  readonly type: string
  readonly code: () => Promise<string | Uint8Array>
  readonly spec: Record<string, string>
}

const FETCH_HELLO = `export default { fetch: () => new Response('hello world') }`
const PYTHON_HELLO = `def handler(event, context):\n    return 'hello world'\n`

export const BENCH_FUNCTIONS: readonly BenchFunction[] = [
  {
    name: 'node',
    driver: 'docker',
    type: 'text/javascript',
    code: () => Promise.resolve(FETCH_HELLO),
    spec: { runtime: 'node', concurrency: '64' },
  },
  {
    name: 'python',
    driver: 'docker',
    type: 'text/x-python',
    code: () => Promise.resolve(PYTHON_HELLO),
    spec: { runtime: 'python', concurrency: '64' },
  },
  {
    name: 'js-reset',
    driver: 'wasm',
    type: 'text/javascript',
    code: () => Promise.resolve(FETCH_HELLO),
    spec: { runtime: 'js', instances: 'reset', concurrency: '16', maxSandboxes: '1' },
  },
  {
    name: 'js-warm',
    driver: 'wasm',
    type: 'text/javascript',
    code: () => Promise.resolve(FETCH_HELLO),
    spec: { runtime: 'js', instances: 'warm', concurrency: '16', maxSandboxes: '1' },
  },
  {
    name: 'wasm',
    driver: 'wasm',
    type: 'application/wasm',
    code: () => readFile(join(import.meta.dirname, '../functions/hello-wasm/main.wasm')),
    spec: { runtime: 'wasm', concurrency: '16', maxSandboxes: '1' },
  },
]

/** Deploys those of the chosen ones that this machine can run, and says what it leaves out. */
export async function deployAll(
  platform: Platform,
  changes: Record<string, string> = {},
  chosen: readonly BenchFunction[] = BENCH_FUNCTIONS,
): Promise<readonly BenchFunction[]> {
  const drivers = await platform.drivers()
  const able = chosen.filter((each) => drivers.includes(each.driver))
  for (const each of chosen) {
    if (!able.includes(each)) console.error(`${each.name}: left out, the ${each.driver} driver is off`)
  }
  for (const each of able) {
    await platform.deploy(each.name, each.type, await each.code(), { ...each.spec, ...changes })
  }
  return able
}
