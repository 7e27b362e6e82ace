// Puts the parts of an artifact together: cores capped and named by their content, and the manifest.
import { createHash } from 'node:crypto'

import { FORMAT, MANIFEST_PATH, type WasmManifest } from '../artifact.ts'
import type { ComponentPlan } from '../component-plan.ts'
import { capCore } from './cap-core.ts'
import { Refusal } from './job.ts'

export type Artifact = Map<string, Uint8Array>

export interface Parts {
  readonly manifest: Omit<WasmManifest, 'format' | 'glue' | 'script' | 'plan' | 'cores'>
  /** Absent where it is not needed. */
  readonly glue?: string
  /** In place of glue. */
  readonly plan?: ComponentPlan
  /** As in the manifest. */
  readonly cores: ReadonlyMap<string, Uint8Array>
  readonly memoryMiB: number
  /** Goes into the artifact as it is. */
  readonly extra?: ReadonlyMap<string, Uint8Array>
}

/** An adapter of a component has one of its own; more would multiply the limit. */
const MAX_MEMORIES = 4
const GLUE_PATH = 'component.js'
const PLAN_PATH = 'plan.json'

/** @throws Refusal when a core cannot be limited or is not valid */
export function assemble({ manifest, glue, plan, cores, memoryMiB, extra = new Map() }: Parts): Artifact {
  const artifact: Artifact = new Map(extra)
  const paths: Record<string, string> = {}
  let memories = 0
  for (const [name, core] of cores) {
    const { bytes: capped, memories: own } = capCore(core, memoryMiB)
    memories += own
    if (memories > MAX_MEMORIES) {
      throw new Refusal({ message: `a module has at most ${MAX_MEMORIES} memories, each with the limit memoryMiB` })
    }
    if (!WebAssembly.validate(capped)) {
      throw new Refusal({ message: `the module ${name} is not valid WebAssembly, or needs a feature that V8 lacks` })
    }
    const path = `cores/${createHash('sha256').update(capped).digest('hex')}.wasm`
    paths[name] = path
    artifact.set(path, capped)
  }
  if (glue !== undefined) artifact.set(GLUE_PATH, new TextEncoder().encode(glue))
  if (plan !== undefined) artifact.set(PLAN_PATH, new TextEncoder().encode(JSON.stringify(plan)))
  const where = {
    ...(glue === undefined ? { glue: '' } : { glue: GLUE_PATH, script: true }),
    ...(plan === undefined ? {} : { plan: PLAN_PATH }),
  }
  const whole: WasmManifest = { format: FORMAT, ...manifest, ...where, cores: paths }
  artifact.set(MANIFEST_PATH, new TextEncoder().encode(`${JSON.stringify(whole, null, 2)}\n`))
  return artifact
}
