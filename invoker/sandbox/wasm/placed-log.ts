// The log of a call with the user's own files and lines in the stacks that are printed in it. All else passes through.
import type { LogLine, ResponseHead, ResponseSink } from '#core/invocation'

import type { FailurePlaces } from './failure-places.ts'

/** A frame of the bundle, whatever the engine calls the folder. */
const FRAME = /\bfunction\.js:\d+:\d+/

export class PlacedLog implements ResponseSink {
  readonly #sink: ResponseSink
  readonly #places: FailurePlaces
  /** Of the lines that wait for the source map, so that those after them do not overtake them. */
  #waiting: Promise<void> | undefined

  constructor(sink: ResponseSink, places: FailurePlaces) {
    this.#sink = sink
    this.#places = places
  }

  /** Resolves when every line has been given. */
  get done(): Promise<void> | undefined {
    return this.#waiting
  }

  head(head: ResponseHead, whole: Uint8Array | undefined): void {
    this.#sink.head(head, whole)
  }

  chunk(bytes: Uint8Array): void | Promise<void> {
    return this.#sink.chunk(bytes)
  }

  end(): void {
    this.#sink.end()
  }

  log(line: LogLine): void {
    if (this.#waiting === undefined && !FRAME.test(line.text)) return this.#sink.log(line)
    this.#waiting = this.#place(line, this.#waiting)
  }

  async #place(line: LogLine, before: Promise<void> | undefined): Promise<void> {
    const text = FRAME.test(line.text) ? await this.#places.stack(line.text) : line.text
    await before
    this.#sink.log({ ...line, text })
  }
}
