// Puts what the trial sandbox has compiled beside the code, so that the sandboxes to come need not compile it.
import type { FileSet } from '#core/artifact'
import type { Clock } from '#core/clock'
import type { RuntimeName } from '#core/function'
import { PACK_PATH, packFiles, unpackFiles } from '#core/pack'
import type { Sandbox, SandboxDriver } from '#invoker/sandbox/driver'
import { within } from '#invoker/within'

/** How long the code of a deploy may be compiled; without a result it is shipped as it is. */
const COMPILE_MS = 20_000
/** What a sandbox may add: it runs other people's code. Node's compile cache, and Python's. */
const PLACES: Readonly<Partial<Record<RuntimeName, RegExp>>> = {
  node: /^\.hearth\/compiled\/[\w.-]+\/[0-9a-f]+$/,
  python: /^(?:[^/]+\/)*__pycache__\/[^/]+\.pyc$/,
}

export interface Compiling {
  readonly drivers: readonly SandboxDriver[]
  /** Of the sandbox that was loaded last. No files where there is nothing to be had. */
  compiled(clock: Clock): Promise<FileSet>
}

/** The same drivers, whose sandboxes compile what they load. */
export function compiling(drivers: readonly SandboxDriver[]): Compiling {
  let latest: Sandbox | undefined
  return {
    drivers: drivers.map((driver) => ({
      name: driver.name,
      capabilities: driver.capabilities,
      detail: driver.detail,
      create: async (spec, signal) => {
        latest = await driver.create(spec, signal)
        return loadingAsCompiled(latest)
      },
      recover: (signal) => driver.recover(signal),
      [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
    })),
    async compiled(clock) {
      const files = latest?.compiled?.()
      return (files && (await within(files, COMPILE_MS, clock))) ?? new Map()
    },
  }
}

function loadingAsCompiled(sandbox: Sandbox): Sandbox {
  return {
    id: sandbox.id,
    ended: sandbox.ended,
    load: (code, signal) => sandbox.load({ ...code, compiles: true }, signal),
    invoke: (invocation, sink, signal) => sandbox.invoke(invocation, sink, signal),
    responsive: (timeoutMs) => sandbox.responsive(timeoutMs),
    [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
  }
}

/** The artifact with what was compiled; as it was when that is nothing. */
export function withCompiled(artifact: FileSet, compiled: FileSet, runtime: RuntimeName): FileSet {
  const pack = artifact.get(PACK_PATH)
  const place = PLACES[runtime]
  if (pack === undefined || place === undefined) return artifact
  const added = [...compiled].filter(([path]) => place.test(path) && !path.split('/').includes('..'))
  if (added.length === 0) return artifact
  return new Map([[PACK_PATH, packFiles(new Map([...unpackFiles(pack), ...added]))]])
}
