// Gives code back as an archive: the same files, the same bytes, whenever and wherever.
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

import { zipSync } from 'fflate'
import type { Zippable } from 'fflate'
import { pack } from 'tar-stream'

import type { FileSet } from '#core/artifact'

const compress = promisify(gzip)
/** The oldest time that a zip can say, in local time as it wants it. */
const ZIP_EPOCH = new Date(1980, 0, 1)

export function toZip(files: FileSet): Uint8Array {
  const entries = sorted(files).map(([path, bytes]): [string, Zippable[string]] => [
    path,
    [bytes, { mtime: ZIP_EPOCH }],
  ])
  return zipSync(Object.fromEntries(entries))
}

export async function toTarGz(files: FileSet): Promise<Uint8Array> {
  const tar = pack()
  for (const [name, bytes] of sorted(files)) tar.entry({ name, mtime: new Date(0), mode: 0o644 }, Buffer.from(bytes))
  tar.finalize()
  return compress(Buffer.concat(await Array.fromAsync(tar as AsyncIterable<Uint8Array>)))
}

function sorted(files: FileSet): [string, Uint8Array][] {
  return [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))
}
