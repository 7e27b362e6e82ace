// The worker's end of the way out to the network: asks the driver, who decides and does it.
import { type Frame, FrameFlag, splitHead } from '#core/frames'

import type { FrameSocket } from '../../frame-socket.ts'
import { ControlType, type EgressAnswer, type EgressHead, MAX_EGRESS_BYTES } from '../control.ts'
import type { Egress, EgressRequest, EgressResponse } from './guest.ts'

export class EgressClient implements Egress {
  readonly #socket: FrameSocket
  readonly #channel: number
  readonly #waiting = new Map<number, (result: EgressResponse | string) => void>()
  #last = 0

  constructor(socket: FrameSocket, channel: number) {
    this.#socket = socket
    this.#channel = channel
  }

  fetch(
    { method, url, headers, body, redirect }: EgressRequest,
    signal: AbortSignal,
  ): Promise<EgressResponse | string> {
    if (body.length > MAX_EGRESS_BYTES) {
      return Promise.resolve(
        `fetch failed: a request body to the network has at most ${MAX_EGRESS_BYTES} bytes: received ${body.length}`,
      )
    }
    this.#last = this.#last === 0xffffffff ? 1 : this.#last + 1
    const number = this.#last
    const head: EgressHead = { method, url, headers, redirect }
    const header = { flags: FrameFlag.none, channel: this.#channel, call: number }
    this.#socket.send({ ...header, type: ControlType.egress }, body, JSON.stringify(head))
    return new Promise((resolve) => {
      const onAbort = (): void => {
        if (this.#waiting.delete(number)) this.#socket.send({ ...header, type: ControlType.forget })
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.set(number, (result) => {
        signal.removeEventListener('abort', onAbort)
        resolve(result)
      })
    })
  }

  answer(frame: Frame): void {
    const resolve = this.#waiting.get(frame.call)
    if (resolve === undefined) return
    this.#waiting.delete(frame.call)
    const { head, body } = splitHead(frame.payload)
    const answer = head as EgressAnswer
    resolve(answer.ok ? { ...answer, body: new Uint8Array(body) } : answer.message)
  }
}
