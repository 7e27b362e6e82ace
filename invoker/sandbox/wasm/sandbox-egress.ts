// What one sandbox asks of the network, and its answers.
import type { EgressRule } from '#core/egress'
import { type Frame, FrameFlag, splitHead } from '#core/frames'

import type { FrameSocket } from '../frame-socket.ts'
import { ControlType, type EgressHead, MAX_EGRESS_REQUESTS } from './control.ts'
import type { EgressGate, EgressReply } from './egress.ts'

export interface SandboxEgressOptions {
  readonly socket: FrameSocket
  readonly channel: number
  readonly gate: EgressGate
}

export class SandboxEgress implements Disposable {
  /** Of the function that is loaded. */
  rules: readonly EgressRule[] = []
  readonly #options: SandboxEgressOptions
  readonly #running = new Map<number, AbortController>()

  constructor(options: SandboxEgressOptions) {
    this.#options = options
  }

  /** Takes an egress or forget frame. @throws FrameError */
  receive(frame: Frame): void {
    if (frame.type === ControlType.forget) return this.#running.get(frame.call)?.abort()
    const { head, body } = splitHead(frame.payload)
    void this.#run(frame.call, { ...(head as EgressHead), body })
  }

  /** Stops everything. */
  [Symbol.dispose](): void {
    for (const abort of this.#running.values()) abort.abort()
  }

  async #run(number: number, request: EgressHead & { body: Uint8Array }): Promise<void> {
    const abort = new AbortController()
    if (this.#running.size >= MAX_EGRESS_REQUESTS) return this.#answer(number, tooMany())
    this.#running.set(number, abort)
    const reply = await this.#options.gate.fetch(request, this.rules, abort.signal)
    this.#running.delete(number)
    if (!abort.signal.aborted) this.#answer(number, reply)
  }

  #answer(call: number, { answer, body }: EgressReply): void {
    const { socket, channel } = this.#options
    const header = { type: ControlType.answer, flags: FrameFlag.none, channel, call }
    socket.send(header, body, JSON.stringify(answer))
  }
}

function tooMany(): EgressReply {
  const message = `fetch failed: at most ${MAX_EGRESS_REQUESTS} requests at the same time in one sandbox`
  return { answer: { ok: false, message }, body: new Uint8Array(0) }
}
