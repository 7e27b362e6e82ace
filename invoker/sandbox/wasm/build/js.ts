// A bundle → an artifact, by the engine that the spec names.
import type { WasmManifest } from '../artifact.ts'
import { type Artifact, assemble, type Parts } from './assemble.ts'
import type { Bundle } from './bundle.ts'
import type { BuildJob, Report } from './job.ts'
import { quickJsParts } from './quickjs-parts.ts'
import { coreModules, transpile } from './transpile.ts'
import { withWrittenMap } from './written-map.ts'

export const SOURCE_MAP_PATH = 'function.js.map'

const MIB = 1_048_576
const WORLD = {
  world: 'function',
  async: true,
  export: 'handle',
  sourceMap: SOURCE_MAP_PATH,
} as const satisfies Partial<WasmManifest>

export interface JsContext {
  /** All that the code can see of the file system while its top level runs. */
  readonly emptyDir: string
  readonly report: Report
}

type EngineParts = Pick<Parts, 'manifest' | 'glue' | 'cores'>

export async function buildJs(
  bundle: Bundle,
  { spec, starlingMonkeyDir }: BuildJob,
  { emptyDir, report }: JsContext,
): Promise<Artifact> {
  const { engine, memoryMiB } = spec
  report('componentize', `running the top level in ${engine} and taking its snapshot`)
  const component =
    engine === 'quickjs'
      ? await (await import('./quickjs.ts')).componentizeQuickJs(bundle, emptyDir)
      : await (await import('./starlingmonkey.ts')).componentizeStarlingMonkey(bundle, starlingMonkeyDir)
  report('transpile', 'translating the component')
  const parts = engine === 'quickjs' ? await quickJs(component, memoryMiB) : await starlingMonkey(component)
  const extra = new Map([[SOURCE_MAP_PATH, new TextEncoder().encode(bundle.map)]])
  return assemble({ ...parts, memoryMiB, extra })
}

/** Restoring memory was verified for componentize-qjs 0.4.5. What is written is noted, so that only that is restored. */
async function quickJs(component: Uint8Array, memoryMiB: number): Promise<EngineParts> {
  const parts = quickJsParts(await coreModules(component))
  return {
    manifest: { ...WORLD, engine: 'quickjs', resettable: true, rehearses: true },
    cores: withWrittenMap(parts, memoryMiB * MIB),
  }
}

/** Its adapter does not survive restoring. */
async function starlingMonkey(component: Uint8Array): Promise<EngineParts> {
  const { glue, cores } = await transpile(component)
  return { manifest: { ...WORLD, engine: 'starlingmonkey', resettable: false, rehearses: false }, glue, cores }
}
