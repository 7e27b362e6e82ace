// Reads a zip by its central directory. Own code, because what protects is in fields that libraries do not show: the
// file type (links), the flags (encryption), the checksum, and that a file is no larger than it says.
import { promisify } from 'node:util'
import { crc32, inflateRaw } from 'node:zlib'

import type { FileSet } from '#core/artifact'

import { FileCollector, invalidArchive, uploadTooLarge } from './collector.ts'

const inflate = promisify(inflateRaw)

const END_SIGNATURE = 0x06054b50
const END_SIZE = 22
const MAX_COMMENT = 65_535
const ENTRY_SIGNATURE = 0x02014b50
const ENTRY_SIZE = 46
const LOCAL_SIGNATURE = 0x04034b50
const LOCAL_SIZE = 30
const STORED = 0
const DEFLATED = 8
const ENCRYPTED = 0x1
const MADE_ON_UNIX = 3
const FILE_TYPE = 0o170000
const REGULAR_FILE = 0o100000
const FOLDER = 0o040000

interface ZipEntry {
  readonly name: string
  readonly method: number
  readonly encrypted: boolean
  readonly crc: number
  readonly packedSize: number
  readonly size: number
  readonly localOffset: number
  /** The type bits of a Unix mode; 0 when unknown. */
  readonly fileType: number
}

/** @throws PlatformError `invalid-archive`, `payload-too-large` */
export async function unzip(bytes: Uint8Array, maxBytes: number): Promise<FileSet> {
  const zip = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const collector = new FileCollector(maxBytes)
  for (const entry of entriesOf(zip)) {
    if (entry.name.endsWith('/') || entry.fileType === FOLDER) continue
    if (collector.accept(entry.name) === undefined) continue
    if (entry.size > collector.left) throw uploadTooLarge(maxBytes)
    collector.add(entry.name, await contentOf(zip, entry))
  }
  return collector.files()
}

function* entriesOf(zip: Buffer): Generator<ZipEntry> {
  const end = findEnd(zip)
  const count = zip.readUInt16LE(end + 10)
  let offset = zip.readUInt32LE(end + 16)
  if (count === 0xffff || offset === 0xffffffff)
    throw invalidArchive('a zip below 4 GiB and 65535 files: received zip64')
  for (let index = 0; index < count; index++) {
    if (offset + ENTRY_SIZE > zip.length || zip.readUInt32LE(offset) !== ENTRY_SIGNATURE) throw damaged()
    const nameSize = zip.readUInt16LE(offset + 28)
    yield readEntry(zip, offset, nameSize)
    offset += ENTRY_SIZE + nameSize + zip.readUInt16LE(offset + 30) + zip.readUInt16LE(offset + 32)
  }
}

function findEnd(zip: Buffer): number {
  const lowest = Math.max(0, zip.length - END_SIZE - MAX_COMMENT)
  for (let at = zip.length - END_SIZE; at >= lowest; at--) {
    if (zip.readUInt32LE(at) === END_SIGNATURE) return at
  }
  throw invalidArchive('a zip: received something without its directory')
}

function readEntry(zip: Buffer, offset: number, nameSize: number): ZipEntry {
  const nameAt = offset + ENTRY_SIZE
  const onUnix = zip.readUInt8(offset + 5) === MADE_ON_UNIX
  return {
    name: zip.toString('utf8', nameAt, nameAt + nameSize),
    method: zip.readUInt16LE(offset + 10),
    encrypted: (zip.readUInt16LE(offset + 8) & ENCRYPTED) !== 0,
    crc: zip.readUInt32LE(offset + 16),
    packedSize: zip.readUInt32LE(offset + 20),
    size: zip.readUInt32LE(offset + 24),
    localOffset: zip.readUInt32LE(offset + 42),
    fileType: onUnix ? (zip.readUInt32LE(offset + 38) >>> 16) & FILE_TYPE : 0,
  }
}

async function contentOf(zip: Buffer, entry: ZipEntry): Promise<Uint8Array> {
  const { name, method, localOffset } = entry
  const shown = JSON.stringify(name)
  if (entry.fileType !== 0 && entry.fileType !== REGULAR_FILE)
    throw invalidArchive(`files: ${shown} is a link or a device`)
  if (entry.encrypted) throw invalidArchive(`files without a password: ${shown} is encrypted`)
  if (method !== STORED && method !== DEFLATED) throw invalidArchive(`files stored or deflated: ${shown} is neither`)
  if (localOffset + LOCAL_SIZE > zip.length || zip.readUInt32LE(localOffset) !== LOCAL_SIGNATURE) throw damaged()
  const from = localOffset + LOCAL_SIZE + zip.readUInt16LE(localOffset + 26) + zip.readUInt16LE(localOffset + 28)
  const packed = zip.subarray(from, from + entry.packedSize)
  const content = method === STORED ? packed : await inflateTo(entry.size, packed)
  if (content.length !== entry.size || crc32(content) !== entry.crc) throw damaged()
  return content
}

async function inflateTo(size: number, packed: Buffer): Promise<Uint8Array> {
  try {
    // The limit is what makes a file that lies about its size harmless; 0 would mean "no limit".
    return await inflate(packed, { maxOutputLength: Math.max(1, size) })
  } catch (error) {
    throw damaged(error)
  }
}

function damaged(cause?: unknown): Error {
  return invalidArchive('a whole zip: received a damaged one', cause)
}
