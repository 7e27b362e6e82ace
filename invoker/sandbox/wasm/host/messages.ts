// What the host's main thread and its workers post to each other beside frames (which are posted as ArrayBuffers).
import type { WasmLoadHead } from '../control.ts'
import type { WasmManifest } from '../artifact.ts'
import type { ComponentPlan } from '../component-plan.ts'

/** To a generic worker: it is the sandbox of this channel from now on. */
export interface AssignMessage {
  readonly kind: 'assign'
  readonly channel: number
}

/** To an assigned worker: code, compiled. The modules share their machine code with all other workers. */
export interface LoadMessage {
  readonly kind: 'load'
  readonly spec: WasmLoadHead['spec']
  readonly manifest: WasmManifest
  /** Where the glue is; empty where it is not needed. */
  readonly gluePath: string
  /** In place of glue. */
  readonly plan: ComponentPlan | undefined
  /** The glue compiled, when it is a script that a worker has run before. */
  readonly glueCode: Uint8Array | undefined
  /** By the names that the glue asks for. */
  readonly modules: ReadonlyMap<string, WebAssembly.Module>
}

/** To a generic worker: a function of the platform's own, to practise with. Answered by PractisedMessage. */
export interface PractiseMessage {
  readonly kind: 'practise'
  readonly load: LoadMessage
}

export interface PractisedMessage {
  readonly kind: 'practised'
}

/** To an assigned worker: the artifact could not be read. */
export interface LoadFailedMessage {
  readonly kind: 'load-failed'
  readonly message: string
}

/** From a worker, before it says that it has loaded: its glue compiled. No call has run in it yet. */
export interface GlueCodeMessage {
  readonly kind: 'glue-code'
  readonly code: Uint8Array
}

export type ToWorker = PractiseMessage | AssignMessage | LoadMessage | LoadFailedMessage
