// What the driver and the Wasm host process say to each other beside the frames of core/frames.ts: which sandboxes
// there are, and what they ask of the network. The numbers continue FrameType; a frame's `call` is named per message.
import type { LocalFile } from '#core/artifact'
import type { FunctionSpec } from '#core/function'

export const ControlType = {
  /** To the host, channel 0. call: the channel of the new sandbox, which answers with its own ready frame. */
  create: 64,
  /** To the host, channel 0. call: the channel of the sandbox that is to end. It is forgotten at once. */
  dispose: 65,
  /** From the host, channel 0. call: the channel of a sandbox that ended by itself; JSON of Termination. */
  ended: 66,
  /** From a sandbox, on its channel. call: number of the request; u32 length + JSON of EgressHead, then the body. */
  egress: 67,
  /** To a sandbox. call: number of the request; u32 length + JSON of EgressAnswer, then the body. */
  answer: 68,
  /** From a sandbox. call: number of a request whose answer nobody waits for any more. */
  forget: 69,
  /** To the host, channel 0. JSON of LocalFile[]: a function of the platform's own, for spare workers to practise with. */
  practise: 70,
} as const

/** The head of a load frame to the Wasm host. Code does not follow: the files are on the disk. */
export interface WasmLoadHead {
  readonly spec: Pick<FunctionSpec, 'env' | 'memoryMiB' | 'instances'>
  readonly files: readonly LocalFile[]
}

/** What becomes of a redirect: it is followed, given to the guest, or an error. */
export type Redirect = 'follow' | 'manual' | 'error'

export interface EgressHead {
  readonly method: string
  readonly url: string
  readonly headers: readonly (readonly [string, string])[]
  readonly redirect: Redirect
}

/** Most requests of a sandbox that are under way at the same time. */
export const MAX_EGRESS_REQUESTS = 64

export type EgressAnswer =
  | {
      readonly ok: true
      readonly status: number
      readonly headers: readonly (readonly [string, string])[]
      /** Where it came from in the end, without a fragment. */
      readonly url: string
      readonly redirected: boolean
    }
  | { readonly ok: false; readonly message: string }

/** Most bytes of an egress body, either way: it travels in one frame. */
export const MAX_EGRESS_BYTES = 8_388_608
/** Most live instances of a function in one worker. */
export const MAX_INSTANCES = 16
/** Most bytes of a request or response body in a Wasm sandbox. */
export const MAX_BODY_BYTES = 16_777_216
