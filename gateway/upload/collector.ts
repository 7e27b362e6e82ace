// Takes in the files of an upload. Everything that a hostile or careless archive can do with names and sizes is
// refused here, for every format.
import type { FileSet } from '#core/artifact'
import { PlatformError } from '#core/errors'

/** More than the largest honest node_modules; what it protects is memory and the store. */
const MAX_FILES = 20_000
/** Bytes. Longer ones cannot be made on the disks of invokers. */
const MAX_PATH = 512
const MAX_SEGMENT = 255
/** What archivers of macOS and Windows add. */
const JUNK = /(?:^|\/)(?:__MACOSX\/|\._[^/]*$|\.DS_Store$|Thumbs\.db$)/

export class FileCollector {
  readonly #files = new Map<string, Uint8Array>()
  readonly #folders = new Set<string>()
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes that may still come. */
  get left(): number {
    return this.#maxBytes - this.#bytes
  }

  /**
   * The path under which a name is kept; undefined when the file is junk.
   * @throws PlatformError `invalid-archive`
   */
  accept(name: string): string | undefined {
    const path = safePath(name)
    if (JUNK.test(path)) return undefined
    if (this.#files.has(path)) throw invalidArchive(`each path once: received ${quote(path)} twice`)
    if (this.#files.size >= MAX_FILES) throw invalidArchive(`at most ${MAX_FILES} files: received more`)
    const folders = foldersOf(path)
    const blocked = this.#folders.has(path) ? path : folders.find((folder) => this.#files.has(folder))
    if (blocked !== undefined) throw invalidArchive(`${quote(blocked)} as a file or a folder: received both`)
    return path
  }

  /** @throws PlatformError `invalid-archive`, `payload-too-large` */
  add(name: string, bytes: Uint8Array): void {
    const path = this.accept(name)
    if (path === undefined) return
    this.#bytes += bytes.length
    if (this.#bytes > this.#maxBytes) throw uploadTooLarge(this.#maxBytes)
    this.#files.set(path, bytes)
    for (const folder of foldersOf(path)) this.#folders.add(folder)
  }

  /** @throws PlatformError `invalid-archive` when there are none */
  files(): FileSet {
    if (this.#files.size === 0) throw invalidArchive('at least one file: received none')
    return this.#files
  }
}

export function uploadTooLarge(limit: number): PlatformError {
  return new PlatformError('payload-too-large', {
    detail: `an upload has at most ${limit} bytes, packed and unpacked (HEARTH_MAX_UPLOAD_BYTES): received more`,
    members: { limit },
  })
}

export function invalidArchive(expectation: string, cause?: unknown): PlatformError {
  return new PlatformError('invalid-archive', { detail: `expected ${expectation}`, cause })
}

function safePath(name: string): string {
  const path = name.replace(/^(?:\.\/)+/, '')
  const segments = path.split('/')
  const unsafe =
    path === '' ||
    // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
    /[\\\u0000-\u001f\u007f]/.test(path) ||
    /^[A-Za-z]:/.test(path) ||
    segments.some((segment) => segment === '' || segment === '.' || segment === '..')
  if (unsafe) throw invalidArchive(`relative paths with "/" and without "..": received ${quote(name)}`)
  if (Buffer.byteLength(path) > MAX_PATH || segments.some((segment) => Buffer.byteLength(segment) > MAX_SEGMENT)) {
    throw invalidArchive(`paths of at most ${MAX_PATH} bytes, ${MAX_SEGMENT} a name: received ${quote(name)}`)
  }
  return path
}

function foldersOf(path: string): string[] {
  const segments = path.split('/')
  return segments.slice(1).map((_, index) => segments.slice(0, index + 1).join('/'))
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 120))
}
