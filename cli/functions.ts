// What the API says about functions, as the CLI uses it. The whole is in /openapi.json.
import type { FunctionSpec } from '#core/function'
import type { FunctionActivity } from '#core/invoker'
import type { LaneState } from '#core/queue'

export interface FunctionSummary {
  readonly function: string
  readonly version: number
  readonly state: 'cold' | 'starting' | 'warm' | 'busy' | 'paused' | 'hibernated'
  readonly runtime: string
  readonly url: string
  readonly createdAt: number
  readonly updatedAt: number
}

export interface FunctionStatus extends FunctionSummary, FunctionActivity {
  readonly spec: FunctionSpec
  readonly lane: LaneState & { readonly deadLetters: number }
}

export interface VersionSummary {
  readonly version: number
  readonly digest: string
  readonly createdAt: number
  readonly files: readonly { readonly path: string; readonly size: number }[]
}
