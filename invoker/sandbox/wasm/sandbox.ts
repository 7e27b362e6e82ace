// One sandbox of the Wasm driver: a worker thread in the host process, reached over a channel of its pipe.
import type { Clock } from '#core/clock'
import { type Frame, FrameFlag } from '#core/frames'
import type { SandboxId } from '#core/ids'
import type { Invocation, ResponseSink } from '#core/invocation'
import type { Outcome } from '#core/outcome'

import type { Code, LoadResult, Sandbox, Termination } from '../driver.ts'
import type { FrameSocket } from '../frame-socket.ts'
import { SandboxLink } from '../link.ts'
import { ControlType, MAX_INSTANCES, type WasmLoadHead } from './control.ts'

export interface WasmSandboxOptions {
  readonly id: SandboxId
  readonly channel: number
  readonly socket: FrameSocket
  readonly clock: Clock
  /** Once, when it has ended: its channel is free. */
  readonly onEnded: () => void
}

export class WasmSandbox implements Sandbox {
  readonly id: SandboxId
  readonly ended: Promise<Termination>
  readonly #options: WasmSandboxOptions
  readonly #link: SandboxLink
  readonly #ended = Promise.withResolvers<Termination>()
  #termination: Termination | undefined

  constructor(options: WasmSandboxOptions) {
    this.#options = options
    this.id = options.id
    this.ended = this.#ended.promise
    this.#link = new SandboxLink({
      socket: options.socket,
      channel: options.channel,
      onViolation: (error) => this.#kill({ cause: 'exited', detail: `protocol violation: ${error.message}` }),
      clock: options.clock,
    })
  }

  /** Resolves when the worker runs; rejects when it ended before. */
  get ready(): Promise<unknown> {
    return this.#link.ready
  }

  receive(frame: Frame): void {
    this.#link.receive(frame)
  }

  /** It has ended by itself, or with the host. */
  end(termination: Termination): void {
    if (this.#termination !== undefined) return
    this.#termination = termination
    this.#ended.resolve(termination)
    this.#link.close()
    this.#options.onEnded()
  }

  async load({ spec, files }: Code, signal: AbortSignal): Promise<LoadResult> {
    signal.throwIfAborted()
    const { env, memoryMiB, concurrency, instances } = spec
    const head: WasmLoadHead = {
      spec: { env, memoryMiB, concurrency: Math.min(concurrency, MAX_INSTANCES), instances },
      files,
    }
    const result = await this.#link.load(head, undefined)
    return result ?? { loaded: false, failure: { type: 'LoadError', message: `the sandbox ended: ${this.#detail()}` } }
  }

  async invoke(invocation: Invocation, sink: ResponseSink, signal: AbortSignal): Promise<Outcome> {
    const outcome = await this.#link.invoke(invocation, sink, signal)
    if (outcome !== undefined) return outcome
    if (this.#termination?.cause === 'out-of-memory') {
      return { kind: 'out-of-memory', limitMiB: invocation.version.spec.memoryMiB }
    }
    return { kind: 'exited', detail: this.#detail() }
  }

  responsive(timeoutMs: number): Promise<boolean> {
    return this.#link.responsive(timeoutMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill({ cause: 'disposed' })
  }

  #kill(termination: Termination): void {
    if (this.#termination !== undefined) return
    const { socket, channel } = this.#options
    socket.send({ type: ControlType.dispose, flags: FrameFlag.none, channel: 0, call: channel })
    this.end(termination)
  }

  #detail(): string {
    return this.#termination?.cause === 'exited' ? this.#termination.detail : (this.#termination?.cause ?? 'unknown')
  }
}
