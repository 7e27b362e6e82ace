// Blob and File of the File API, in memory.
import { bytesOf, decodeUtf8, encodeUtf8, type BufferSource } from './encoding.ts'
import { ReadableStream } from './readable-stream.ts'

export type BlobPart = string | BufferSource | Blob

/** A view of a blob's bytes; blobs never change. */
export let blobBytes: (blob: Blob) => Uint8Array

export class Blob {
  static {
    blobBytes = (blob) => blob.#bytes
  }

  readonly type: string
  readonly #bytes: Uint8Array

  constructor(parts: Iterable<BlobPart> = [], { type = '' }: { readonly type?: string } = {}) {
    this.#bytes = joined([...parts].map(partBytes))
    this.type = /^[\x20-\x7e]*$/.test(type) ? type.toLowerCase() : ''
  }

  get size(): number {
    return this.#bytes.length
  }

  slice(start = 0, end = this.size, type = ''): Blob {
    return new Blob([this.#bytes.slice(start, end)], { type })
  }

  async bytes(): Promise<Uint8Array> {
    return this.#bytes.slice()
  }

  async arrayBuffer(): Promise<ArrayBufferLike> {
    return this.#bytes.slice().buffer
  }

  async text(): Promise<string> {
    return decodeUtf8(this.#bytes).replace(/^\ufeff/, '')
  }

  stream(): ReadableStream<Uint8Array> {
    return streamOf(this.#bytes.slice())
  }

  get [Symbol.toStringTag](): string {
    return 'Blob'
  }
}

export class File extends Blob {
  readonly name: string
  readonly lastModified: number

  constructor(
    parts: Iterable<BlobPart>,
    name: string,
    options: { readonly type?: string; readonly lastModified?: number } = {},
  ) {
    super(parts, options)
    this.name = String(name)
    this.lastModified = options.lastModified ?? Date.now()
  }

  override get [Symbol.toStringTag](): string {
    return 'File'
  }
}

/** One chunk, or none when empty. */
export function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (bytes.length > 0) controller.enqueue(bytes)
      controller.close()
    },
  })
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

function partBytes(part: BlobPart): Uint8Array {
  if (part instanceof Blob) return blobBytes(part)
  return part instanceof ArrayBuffer || ArrayBuffer.isView(part) ? bytesOf(part) : encodeUtf8(String(part))
}
