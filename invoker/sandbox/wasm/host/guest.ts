// What the kinds of guest (js on QuickJS or StarlingMonkey, wasi-http, command) have in common for who runs them.
import type { InstancePolicy } from '#core/function'

import type { Redirect } from '../control.ts'
import type { Call } from './call.ts'
import type { LoadMessage } from './messages.ts'

/** Loaded code. */
export interface Guest {
  /** A new instance, ready for its first call. @throws what the guest's own initialisation throws */
  instantiate(): GuestInstance | Promise<GuestInstance>
}

/** Runs one call at a time. */
export interface GuestInstance {
  /**
   * Runs a call to its end and tells it what came of it. Never rejects. When the call is cancelled, the instance stops
   * as soon as its guest is not running, without asking it for long.
   * @returns undefined when the call is over already, as one is that waits for nothing
   */
  run(call: Call): Promise<void> | undefined
  /**
   * Makes it fit for the next call. Not called under the policy `fresh`.
   * @returns false when it must be thrown away
   */
  recycle(): boolean
  /** Lets go of everything that it still waits for. */
  abandon(): void
}

/** What a guest may use of its sandbox. */
export interface GuestContext extends Pick<LoadMessage, 'manifest' | 'modules' | 'plan' | 'spec'> {
  /** What the spec says, as far as the code allows it. */
  readonly policy: InstancePolicy
  /** The export of the glue's module; absent where there is none. */
  readonly instantiate: Instantiate | undefined
  readonly egress: Egress
}

export type Instantiate = (
  getCore: (name: string) => WebAssembly.Module | undefined,
  imports: Readonly<Record<string, object>>,
  instantiateCore: (
    module: WebAssembly.Module,
    imports: Record<string, Record<string, unknown>>,
  ) => WebAssembly.Instance,
) => Promise<Record<string, unknown>>

export interface HttpMessage {
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
}
export interface EgressRequest extends HttpMessage {
  readonly method: string
  readonly url: string
  readonly redirect: Redirect
}
export interface EgressResponse extends HttpMessage {
  readonly status: number
  /** Where it came from in the end, without a fragment. */
  readonly url: string
  readonly redirected: boolean
}

/** The guest's only network. */
export interface Egress {
  /** @returns a text that says why there is no response */
  fetch(request: EgressRequest, signal: AbortSignal): Promise<EgressResponse | string>
}
