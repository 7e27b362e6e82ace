// One sandbox of the Wasm driver: a worker thread in the host process, reached over a channel of its pipe.
import { resolve } from 'node:path'

import type { Clock } from '#core/clock'
import { parseEgressRules } from '#core/egress'
import { type Frame, type FrameError, FrameFlag } from '#core/frames'
import type { FunctionSpec } from '#core/function'
import type { SandboxId } from '#core/ids'
import type { Invocation, ResponseSink } from '#core/invocation'
import type { Outcome } from '#core/outcome'
import type { StopSignal } from '#core/stop-signal'

import type { Code, LoadResult, Sandbox, Termination } from '../driver.ts'
import type { FrameSocket } from '../frame-socket.ts'
import { SandboxLink } from '../link.ts'
import { ControlType, type WasmLoadHead } from './control.ts'
import { FailurePlaces } from './failure-places.ts'
import { PlacedLog } from './placed-log.ts'
import { SandboxEgress } from './sandbox-egress.ts'
import type { EgressGate } from './egress.ts'

export interface WasmSandboxOptions {
  readonly id: SandboxId
  readonly channel: number
  readonly socket: FrameSocket
  readonly clock: Clock
  readonly gate: EgressGate
  /** When it has loaded code. */
  readonly onLoaded: (spec: FunctionSpec) => void
  /** Once, when it has ended: its channel is free. */
  readonly onEnded: () => void
}

export class WasmSandbox implements Sandbox {
  readonly id: SandboxId
  readonly ended: Promise<Termination>
  readonly #options: WasmSandboxOptions
  readonly #link: SandboxLink
  readonly #egress: SandboxEgress
  readonly #ended = Promise.withResolvers<Termination>()
  #places: FailurePlaces | undefined
  #termination: Termination | undefined
  /** Whether its worker runs. */
  #started = false

  constructor(options: WasmSandboxOptions) {
    this.#options = options
    this.id = options.id
    this.ended = this.#ended.promise
    this.#egress = new SandboxEgress(options)
    this.#link = new SandboxLink({
      socket: options.socket,
      channel: options.channel,
      onViolation: (error) => this.#violated(error),
      clock: options.clock,
    })
    this.#link.ready.then(
      () => (this.#started = true),
      () => {},
    )
  }

  receive(frame: Frame): void {
    if (frame.type !== ControlType.egress && frame.type !== ControlType.forget) return this.#link.receive(frame)
    try {
      this.#egress.receive(frame)
    } catch (error) {
      this.#violated(error as FrameError)
    }
  }

  /** It has ended by itself, or with the host. Before its worker ran that is nothing that its code did. */
  end(termination: Termination): void {
    if (this.#termination !== undefined) return
    this.#termination = termination
    this.#ended.resolve(this.#started ? termination : { cause: 'disposed' })
    this.#link.close()
    this.#egress[Symbol.dispose]()
    this.#options.onEnded()
  }

  async load({ spec, files }: Code, signal: AbortSignal): Promise<LoadResult> {
    signal.throwIfAborted()
    const { env, memoryMiB, instances } = spec
    const head: WasmLoadHead = {
      spec: { env, memoryMiB, instances },
      // The host's working directory is another.
      files: files.map((file) => ({ ...file, localPath: resolve(file.localPath) })),
    }
    this.#egress.rules = parseEgressRules(spec.egress)
    this.#places = new FailurePlaces(files)
    const result = await this.#link.load(head, undefined)
    if (result?.loaded === true) this.#options.onLoaded(spec)
    return result ?? { loaded: false, failure: { type: 'LoadError', message: `the sandbox ended: ${this.#detail()}` } }
  }

  async invoke(invocation: Invocation, sink: ResponseSink, signal: StopSignal): Promise<Outcome> {
    const places = this.#places
    const placed = places === undefined ? undefined : new PlacedLog(sink, places)
    const outcome = await this.#link.invoke(invocation, placed ?? sink, signal)
    if (placed?.done !== undefined) await placed.done
    if (outcome?.kind === 'failed' && places !== undefined) {
      return { kind: 'failed', failure: await places.locate(outcome.failure) }
    }
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

  #violated(error: FrameError): void {
    this.#kill({ cause: 'exited', detail: `protocol violation: ${error.message}` })
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
