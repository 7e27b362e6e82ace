// Keeps what a function answers while it goes to the client, and holds the end of it back until it is stored: an answer
// that a client has seen is there for the next one too.
import { validateHeaderName, validateHeaderValue } from 'node:http'

import type { StoredResponse } from '#core/idempotency'
import type { HeaderList, LogLine, ResponseHead, Start } from '#core/invocation'
import type { InvocationSink } from '#core/invoker'

import { forwardResponse } from '../invoke/headers.ts'

export class KeptResponse implements InvocationSink {
  readonly #client: InvocationSink
  readonly #maxBytes: number
  #head: ResponseHead | undefined
  /** A complete body that is held back with its head. */
  #whole: Uint8Array | undefined
  #chunks: Uint8Array[] = []
  #bytes = 0
  #ended = false

  /** @param maxBytes of a body that is kept */
  constructor(client: InvocationSink, maxBytes: number) {
    this.#client = client
    this.#maxBytes = maxBytes
  }

  /** Whether the function has begun to answer. */
  get begun(): boolean {
    return this.#head !== undefined
  }

  /** What to store; else why it cannot be. */
  get stored(): StoredResponse | string {
    const head = this.#head
    if (head === undefined || !this.#ended) return 'it broke off'
    if (this.#bytes > this.#maxBytes) {
      return `a response that is kept has at most ${this.#maxBytes} bytes (HEARTH_MAX_RESULT_BYTES): this one had ${this.#bytes}`
    }
    return { status: head.status, headers: sentHeaders(head), body: Buffer.concat(this.#chunks) }
  }

  /** Sends what was held back. */
  release(): void {
    if (this.#head !== undefined && this.#whole !== undefined) this.#client.head(this.#head, this.#whole)
    if (this.#ended) this.#client.end()
  }

  started(start: Start): void {
    this.#client.started(start)
  }

  head(head: ResponseHead, whole: Uint8Array | undefined): void {
    // What is not HTTP is refused by the client's side, and then it is not an answer.
    if (!isSendable(head)) return this.#client.head(head, whole)
    this.#head = head
    this.#whole = whole
    if (whole === undefined) this.#client.head(head, undefined)
    else this.#keep(whole)
  }

  chunk(bytes: Uint8Array): void | Promise<void> {
    this.#keep(bytes)
    return this.#client.chunk(bytes)
  }

  end(): void {
    this.#ended = true
  }

  log(line: LogLine): void {
    this.#client.log(line)
  }

  #keep(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    if (this.#bytes <= this.#maxBytes) this.#chunks.push(bytes)
    else this.#chunks = []
  }
}

/** The length that was declared included: to a HEAD it is part of the answer. */
function sentHeaders({ headers }: ResponseHead): HeaderList {
  const flat: string[] = []
  forwardResponse(headers, flat)
  const pairs = flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] as string] as const] : []))
  return [...pairs, ...headers.filter(([name]) => name === 'content-length')]
}

function isSendable({ status, headers }: ResponseHead): boolean {
  try {
    for (const [name, value] of headers) {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    }
    return status >= 200 && status <= 999
  } catch {
    return false
  }
}
