// What a hibernated container holds, and so how many fit into a GiB. By the docker driver itself. Left out, with the
// reason, where nothing can be hibernated: it needs swap.
import { packFiles } from '#core/pack'
import type { RuntimeName } from '#core/function'
import type { Sandbox } from '#invoker/sandbox/driver'

import { cgroupMemory, openDocker, pidOf } from '../docker.ts'
import { parentOf, pssOf } from '../process-tree.ts'
import { type BenchResult, summarize } from '../result.ts'
import { Deployed } from './specialize.ts'

const SANDBOXES = 10
const GIB = 1024 ** 3
const MIB = 1024 ** 2
const never = new AbortController().signal
const SOURCES: Readonly<Partial<Record<RuntimeName, readonly [path: string, text: string]>>> = {
  node: ['index.mjs', `export default { fetch: () => new Response('hello world') }`],
  python: ['main.py', `def handler(event, context):\n    return 'hello world'\n`],
}

export async function hibernatedSandboxes(): Promise<readonly BenchResult[]> {
  await using docker = await openDocker()
  if (docker === undefined) return []
  const results: BenchResult[] = []
  for (const [runtime, [path, text]] of Object.entries(SOURCES)) {
    await using code = await Deployed.of(runtime as RuntimeName, packFiles(new Map([[path, Buffer.from(text)]])))
    const sizes: number[] = []
    await using sandboxes = new AsyncDisposableStack()
    for (let index = 0; index < SANDBOXES; index++) {
      const sandbox = sandboxes.use(await docker.driver.create(code.version.spec, never))
      if (!(await hibernate(sandbox, code))) return []
      sizes.push(await bytesOf(sandbox))
    }
    const bytes = sizes.reduce((sum, size) => sum + size, 0) / SANDBOXES
    results.push(
      summarize({ name: `density ${runtime}: memory of a hibernated sandbox`, unit: 'MiB' }, [bytes / MIB]),
      summarize({ name: `density ${runtime}: hibernated sandboxes`, unit: '/GiB' }, [GIB / bytes]),
    )
  }
  return results
}

/** After its first call. */
async function hibernate(sandbox: Sandbox, code: Deployed): Promise<boolean> {
  const loaded = await sandbox.load(code.code, never)
  if (!loaded.loaded) throw new Error(loaded.failure.message)
  await code.call((invocation, sink) => sandbox.invoke(invocation, sink, never))
  await sandbox.pause?.()
  const hibernation = await sandbox.hibernate?.()
  if (hibernation?.hibernated === true) return true
  console.error(`density: hibernated sandboxes are left out: ${hibernation?.reason ?? 'the driver cannot'}`)
  return false
}

/** Its cgroup, and the daemon's process for it. */
async function bytesOf(sandbox: Sandbox): Promise<number> {
  const pid = await pidOf(sandbox)
  return (await cgroupMemory(pid)) + (await pssOf(await parentOf(pid)))
}
