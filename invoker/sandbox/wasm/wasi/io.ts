// wasi:io for guests of the Wasm host: streams and polling over whatever a source or sink is. Waiting returns a
// promise, for glue that suspends its guest meanwhile (JSPI); what is ready is answered at once.

/** Bytes that come. */
export interface Source {
  /** Whether `take` gives something, or nothing for good. */
  readonly ready: boolean
  whenReady(): Promise<void>
  /** At most `most` bytes; empty when there are none yet, undefined after the last. */
  take(most: number): Uint8Array | undefined
}

/** Takes bytes. A promise asks to wait before the next. */
export type Sink = (bytes: Uint8Array) => Promise<void> | undefined

/** Most bytes of one write. */
const WRITE_BYTES = 65_536

export class Pollable {
  readonly #isReady: () => boolean
  readonly #whenReady: () => Promise<void>

  constructor(isReady: () => boolean, whenReady: () => Promise<void>) {
    this.#isReady = isReady
    this.#whenReady = whenReady
  }

  ready(): boolean {
    return this.#isReady()
  }

  block(): Promise<void> | undefined {
    return this.#isReady() ? undefined : this.#whenReady()
  }
}

/** Ready always: for what never makes one wait. */
export function alwaysReady(): Pollable {
  return new Pollable(
    () => true,
    () => Promise.resolve(),
  )
}

/** @returns indices of those that are ready, at least one */
export function poll(pollables: readonly Pollable[]): Uint32Array | Promise<Uint32Array> {
  const ready = readyOf(pollables)
  if (ready.length > 0) return ready
  return Promise.race(pollables.map(async (pollable) => pollable.block())).then(() => readyOf(pollables))
}

function readyOf(pollables: readonly Pollable[]): Uint32Array {
  return Uint32Array.from(pollables.keys().filter((index) => pollables[index]!.ready()))
}

/** wasi:io/error.error */
export class IoError {
  toDebugString(): string {
    return 'input or output failed'
  }
}

// Errors of a WIT `result` are thrown to the glue as plain values.
const CLOSED = { tag: 'closed' }

export class InputStream {
  readonly #source: Source

  constructor(source: Source) {
    this.#source = source
  }

  read(most: bigint): Uint8Array {
    const bytes = this.#source.take(Number(most))
    // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- how glue takes the error of a result
    if (bytes === undefined) throw CLOSED
    return bytes
  }

  blockingRead(most: bigint): Uint8Array | Promise<Uint8Array> {
    return this.#source.ready ? this.read(most) : this.#source.whenReady().then(() => this.read(most))
  }

  skip(most: bigint): bigint {
    return BigInt(this.read(most).length)
  }

  blockingSkip(most: bigint): bigint | Promise<bigint> {
    return this.#source.ready ? this.skip(most) : this.#source.whenReady().then(() => this.skip(most))
  }

  subscribe(): Pollable {
    const source = this.#source
    return new Pollable(
      () => source.ready,
      () => source.whenReady(),
    )
  }
}

export class OutputStream {
  readonly #sink: Sink
  #waiting: Promise<void> | undefined

  constructor(sink: Sink) {
    this.#sink = sink
  }

  checkWrite(): bigint {
    return this.#waiting === undefined ? BigInt(WRITE_BYTES) : 0n
  }

  write(bytes: Uint8Array): void {
    const wait = this.#sink(bytes)
    if (wait === undefined) return
    const waiting = wait.finally(() => {
      if (this.#waiting === waiting) this.#waiting = undefined
    })
    this.#waiting = waiting
  }

  blockingWriteAndFlush(bytes: Uint8Array): Promise<void> | undefined {
    this.write(bytes)
    return this.#waiting
  }

  flush(): void {}

  blockingFlush(): Promise<void> | undefined {
    return this.#waiting
  }

  writeZeroes(count: bigint): void {
    this.write(new Uint8Array(Math.min(Number(count), WRITE_BYTES)))
  }

  blockingWriteZeroesAndFlush(count: bigint): Promise<void> | undefined {
    this.writeZeroes(count)
    return this.#waiting
  }

  splice(from: InputStream, most: bigint): bigint {
    const bytes = from.read(BigInt(Math.min(Number(most), WRITE_BYTES)))
    this.write(bytes)
    return BigInt(bytes.length)
  }

  async blockingSplice(from: InputStream, most: bigint): Promise<bigint> {
    await this.#waiting
    const bytes = await from.blockingRead(BigInt(Math.min(Number(most), WRITE_BYTES)))
    this.write(bytes)
    return BigInt(bytes.length)
  }

  subscribe(): Pollable {
    return new Pollable(
      () => this.#waiting === undefined,
      () => this.#waiting ?? Promise.resolve(),
    )
  }
}

/** A source with these bytes and no more. */
export function sourceOf(bytes: Uint8Array): Source {
  let rest: Uint8Array | undefined = bytes.length === 0 ? undefined : bytes
  return {
    ready: true,
    whenReady: () => Promise.resolve(),
    take(most) {
      const taken = rest?.subarray(0, most)
      rest = rest === undefined || rest.length <= most ? undefined : rest.subarray(most)
      return taken
    },
  }
}
