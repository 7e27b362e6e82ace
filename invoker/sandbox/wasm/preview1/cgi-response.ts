// Standard output → response: given to the call as soon as its head is known, whole when it has none.
import type { Call } from '../host/call.ts'
import { MAX_BODY_BYTES } from '../control.ts'
import { type CgiOutput, plainHead, readCgiOutput } from './cgi.ts'

export class CgiResponse {
  readonly #call: Call
  #state: CgiOutput['kind'] = 'undecided'
  #early: Uint8Array[] = []
  #bytes = 0

  constructor(call: Call) {
    this.#call = call
  }

  /** Whether anything was printed. */
  get began(): boolean {
    return this.#bytes > 0
  }

  write(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    if (this.#bytes > MAX_BODY_BYTES) {
      this.#early = []
      return this.#call.fail({ type: 'ResponseTooLarge', message: `a response has at most ${MAX_BODY_BYTES} bytes` })
    }
    if (this.#state === 'head') return void this.#call.giveChunk(bytes)
    this.#early.push(bytes)
    if (this.#state === 'undecided') this.#decide()
  }

  end(): void {
    if (this.#state === 'head') return this.#call.giveEnd()
    const output = Buffer.concat(this.#early)
    const { status, headers } = plainHead(output)
    this.#call.respond(status, headers, output, false)
  }

  #decide(): void {
    const output = Buffer.concat(this.#early)
    this.#early = [output]
    const read = readCgiOutput(output)
    this.#state = read.kind
    if (read.kind !== 'head') return
    this.#early = []
    this.#call.giveHead(read.head.status, read.head.headers)
    void this.#call.giveChunk(read.body)
  }
}
