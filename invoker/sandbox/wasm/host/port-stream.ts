// A MessagePort as a byte stream, so that frames travel between the host's main thread and its workers as they do
// between processes.
import { Duplex } from 'node:stream'
import type { MessagePort, Worker } from 'node:worker_threads'

type Port = Pick<MessagePort | Worker, 'postMessage'>

/** The owner hands in what the port receives by `receive`; what is written is posted. */
export class PortStream extends Duplex {
  readonly #port: Port

  constructor(port: Port) {
    super({ allowHalfOpen: false })
    this.#port = port
  }

  receive(bytes: ArrayBuffer): void {
    this.push(Buffer.from(bytes))
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#post([chunk], chunk.length)
    done()
  }

  override _writev(writes: { chunk: Buffer }[], done: () => void): void {
    const chunks = writes.map(({ chunk }) => chunk)
    this.#post(
      chunks,
      chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    )
    done()
  }

  /** Copied first: posting a view would post, or detach, the whole slab that it lies in. */
  #post(chunks: readonly Buffer[], size: number): void {
    const bytes = new Uint8Array(size)
    let offset = 0
    for (const chunk of chunks) {
      bytes.set(chunk, offset)
      offset += chunk.length
    }
    this.#port.postMessage(bytes.buffer, [bytes.buffer])
  }
}
