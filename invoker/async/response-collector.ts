// Keeps the response of a call that nobody waits for, as its record shows it.
import type { Invocation, LogLine, ResponseHead, Start } from '#core/invocation'
import type { InvocationSink } from '#core/invoker'
import type { RecordResult, RecordStore } from '#core/record'

import { keptBody } from './kept-body.ts'

export interface CollectorOptions {
  readonly records: Pick<RecordStore, 'writeLogs'>
  /** A larger body is counted and not kept. */
  readonly maxBodyBytes: number
  readonly onStart: (start: Start) => void
}

export class ResponseCollector implements InvocationSink {
  readonly #invocation: Invocation
  readonly #options: CollectorOptions
  #head: ResponseHead | undefined
  #chunks: Uint8Array[] = []
  #bytes = 0

  constructor(invocation: Invocation, options: CollectorOptions) {
    this.#invocation = invocation
    this.#options = options
  }

  started(start: Start): void {
    this.#options.onStart(start)
  }

  head(head: ResponseHead, whole: Uint8Array | undefined): void {
    this.#head = head
    if (whole !== undefined) this.chunk(whole)
  }

  chunk(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    if (this.#bytes > this.#options.maxBodyBytes) this.#chunks = []
    else this.#chunks.push(bytes)
  }

  end(): void {}

  log(line: LogLine): void {
    const { id, version } = this.#invocation
    this.#options.records.writeLogs([{ ...line, function: version.function, invocation: id }])
  }

  /** Undefined when there was no response. */
  result(): RecordResult | undefined {
    if (this.#head === undefined) return undefined
    const result = { status: this.#head.status, headers: this.#head.headers, bodyBytes: this.#bytes }
    if (this.#bytes > this.#options.maxBodyBytes) return result
    const [only] = this.#chunks
    return {
      ...result,
      ...keptBody(this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks)),
    }
  }
}
