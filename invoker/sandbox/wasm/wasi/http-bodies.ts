// wasi:http/types: bodies, in and out, and the trailers that nobody sends.
import { alwaysReady, InputStream, OutputStream, type Pollable, type Sink, type Source } from './io.ts'

export class FutureTrailers {
  subscribe(): Pollable {
    return alwaysReady()
  }

  /** option<result<result<option<trailers>, error-code>>>: there, well, and none. */
  get(): object {
    return { tag: 'ok', val: { tag: 'ok', val: undefined } }
  }
}

export class IncomingBody {
  readonly #source: Source
  #taken = false

  constructor(source: Source) {
    this.#source = source
  }

  stream(): InputStream {
    // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- the error of this result is empty
    if (this.#taken) throw undefined
    this.#taken = true
    return new InputStream(this.#source)
  }

  static finish(): FutureTrailers {
    return new FutureTrailers()
  }
}

/** Where an outgoing body goes. */
export interface Destination {
  readonly write: Sink
  readonly end: () => void
}

/** May be written before it is known where it goes. */
export class OutgoingBody {
  readonly #early: Uint8Array[] = []
  #destination: Destination | undefined
  #finished = false
  #taken = false

  write(): OutputStream {
    // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- the error of this result is empty
    if (this.#taken) throw undefined
    this.#taken = true
    return new OutputStream((bytes) => {
      if (this.#destination !== undefined) return this.#destination.write(bytes)
      this.#early.push(bytes)
      return undefined
    })
  }

  static finish(body: OutgoingBody): void {
    body.#finished = true
    body.#destination?.end()
  }

  sendTo(destination: Destination): void {
    this.#destination = destination
    for (const bytes of this.#early.splice(0)) void destination.write(bytes)
    if (this.#finished) destination.end()
  }
}
