// Reads a tar, gzipped or not.
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'

import { extract } from 'tar-stream'
import type { Header } from 'tar-stream'

import type { FileSet } from '#core/artifact'
import { PlatformError } from '#core/errors'

import { FileCollector, invalidArchive, uploadTooLarge } from './collector.ts'

const inflate = promisify(gunzip)
/** For what a tar has besides the content of its files: a kilobyte for each, and more for long names. */
const OVERHEAD_BYTES = 32 * 1024 * 1024

/** @throws PlatformError `invalid-archive`, `payload-too-large` */
export async function untar(bytes: Uint8Array, maxBytes: number): Promise<FileSet> {
  const collector = new FileCollector(maxBytes)
  const tar = await unpacked(bytes, maxBytes)
  const entries = extract()
  entries.end(tar)
  try {
    for await (const entry of entries) {
      const content = await Array.fromAsync(entry as AsyncIterable<Uint8Array>)
      if (isFile(entry.header)) collector.add(entry.header.name, Buffer.concat(content))
    }
  } catch (error) {
    if (error instanceof PlatformError) throw error
    throw damaged(error)
  }
  return collector.files()
}

/** Folders are passed over; links and devices are refused. */
function isFile({ name, type }: Header): boolean {
  if (type === 'file' || type === 'contiguous-file') return true
  if (type === 'directory') return false
  throw invalidArchive(`files: ${JSON.stringify(name)} is a ${type ?? 'thing of unknown type'}`)
}

async function unpacked(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  const gzipped = bytes[0] === 0x1f && bytes[1] === 0x8b
  if (!gzipped) return bytes
  try {
    return await inflate(bytes, { maxOutputLength: maxBytes + OVERHEAD_BYTES })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw uploadTooLarge(maxBytes)
    throw damaged(error)
  }
}

function damaged(cause: unknown): PlatformError {
  const received = `a damaged one or something else (${(cause as Error).message})`
  return invalidArchive(`a whole tar.gz: received ${received}`, cause)
}
