// A set of files as one run of bytes, small enough to be read by the agents inside sandboxes without a library:
// u32 number of files, then per file u32 path length, path (UTF-8), u32 size, bytes. Little-endian.
import type { FileSet } from './artifact.ts'
import { PlatformError } from './errors.ts'

/** The path of a pack that is all of an artifact: what the container runtimes load. */
export const PACK_PATH = 'code.pack'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export function packFiles(files: FileSet): Uint8Array {
  const entries = [...files].map(([path, bytes]) => ({ path: encoder.encode(path), bytes }))
  const size = entries.reduce((sum, entry) => sum + 8 + entry.path.length + entry.bytes.length, 4)
  const packed = new Uint8Array(size)
  const view = new DataView(packed.buffer)
  let offset = 0
  const putNumber = (value: number): void => {
    view.setUint32(offset, value, true)
    offset += 4
  }
  const putBytes = (bytes: Uint8Array): void => {
    putNumber(bytes.length)
    packed.set(bytes, offset)
    offset += bytes.length
  }
  putNumber(entries.length)
  for (const entry of entries) {
    putBytes(entry.path)
    putBytes(entry.bytes)
  }
  return packed
}

/**
 * The files share memory with `packed`.
 * @throws PlatformError `internal` when the bytes are not a pack
 */
export function unpackFiles(packed: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const files = new Map<string, Uint8Array>()
  let offset = 4
  const take = (): Uint8Array => {
    if (offset + 4 > packed.length) throw truncated(packed.length)
    const size = view.getUint32(offset, true)
    offset += 4
    if (offset + size > packed.length) throw truncated(packed.length)
    offset += size
    return packed.subarray(offset - size, offset)
  }
  if (packed.length < 4) throw truncated(packed.length)
  for (let left = view.getUint32(0, true); left > 0; left--) {
    const path = decoder.decode(take())
    files.set(path, take())
  }
  return files
}

function truncated(size: number): PlatformError {
  return new PlatformError('internal', { detail: `a pack of ${size} bytes ends too early` })
}
