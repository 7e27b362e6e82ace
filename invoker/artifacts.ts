// The artifact files that this machine has, on disk, where drivers can load them from. What it lacks it fetches from
// the BlobStore. Content never changes under a name, so nothing here needs to be invalidated.
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'

import type { ArtifactFile, BlobStore, FileSet, LocalFile } from '#core/artifact'
import type { Clock } from '#core/clock'
import { digestOf } from '#core/digest'
import { PlatformError } from '#core/errors'

export interface ArtifactCacheOptions {
  /** Made when it is not there. Processes may share it. */
  readonly dir: string
  readonly blobs: BlobStore
  readonly maxBytes: number
  readonly clock: Clock
}

interface Entry {
  readonly name: string
  readonly size: number
}

export class ArtifactCache {
  readonly #options: ArtifactCacheOptions
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>()
  /** Under way, by name. */
  readonly #fetches = new Map<string, Promise<void>>()
  #bytes = 0
  #ready: Promise<void> | undefined

  constructor(options: ArtifactCacheOptions) {
    this.#options = options
  }

  /**
   * The files on the local disk, fetched as needed. They stay there at least until `maxBytes` of other files have been
   * asked for; a sandbox reads its files while it loads.
   * @throws PlatformError `internal` when a blob is gone or is not what its digest says
   */
  async fetch(files: readonly ArtifactFile[], signal: AbortSignal): Promise<readonly LocalFile[]> {
    this.#ready ??= this.#open()
    await this.#ready
    const local = await Promise.all(
      files.map(async (file) => {
        const name = `${file.digest}${extname(file.path)}`
        await this.#have(name, file, signal)
        return { ...file, localPath: join(this.#options.dir, name) }
      }),
    )
    await this.#trim(new Set(local.map(({ localPath }) => localPath)))
    return local
  }

  /** Puts files there that are not in the BlobStore, or not yet. */
  async keep(files: FileSet): Promise<readonly LocalFile[]> {
    this.#ready ??= this.#open()
    await this.#ready
    const local = await Promise.all(
      [...files].map(async ([path, bytes]) => {
        const digest = digestOf(bytes)
        const name = `${digest}${extname(path)}`
        await this.#write(name, bytes)
        return { path, digest, size: bytes.length, localPath: join(this.#options.dir, name) }
      }),
    )
    await this.#trim(new Set(local.map(({ localPath }) => localPath)))
    return local
  }

  async #open(): Promise<void> {
    const { dir } = this.#options
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const found = await Promise.all(
      (await readdir(dir))
        .filter((name) => !name.startsWith('.'))
        .map(async (name) => ({ name, ...(await facts(join(dir, name))) })),
    )
    for (const { name, size } of found.toSorted((a, b) => a.usedAt - b.usedAt)) this.#add({ name, size })
  }

  async #have(name: string, file: ArtifactFile, signal: AbortSignal): Promise<void> {
    const path = join(this.#options.dir, name)
    const entry = this.#entries.get(name)
    if (entry !== undefined && (await this.#isThere(path, file.size))) {
      this.#entries.delete(name)
      this.#entries.set(name, entry)
      return
    }
    await this.#fetchOnce(name, file, signal)
  }

  /** Marks it as used, too: what is removed first after a restart is what was not. */
  async #isThere(path: string, size: number): Promise<boolean> {
    if ((await facts(path)).size !== size) return false
    const nowS = this.#options.clock.now() / 1000
    await utimes(path, nowS, nowS).catch(() => undefined)
    return true
  }

  /** One fetch for all who want the file. It is nobody's in particular, so no caller's signal ends it. */
  async #fetchOnce(name: string, file: ArtifactFile, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    let fetch = this.#fetches.get(name)
    if (fetch === undefined) {
      fetch = this.#download(name, file).finally(() => this.#fetches.delete(name))
      this.#fetches.set(name, fetch)
    }
    await fetch
    signal.throwIfAborted()
  }

  async #download(name: string, file: ArtifactFile): Promise<void> {
    const bytes = await this.#options.blobs.get(file.digest, new AbortController().signal)
    const digest = digestOf(bytes)
    if (digest !== file.digest) {
      throw new PlatformError('internal', {
        detail: `a blob with digest ${file.digest} was expected: received ${digest}`,
      })
    }
    await this.#write(name, bytes)
  }

  /** Whole or not at all: other processes may look at the same time. */
  async #write(name: string, bytes: Uint8Array): Promise<void> {
    const temporary = join(this.#options.dir, `.${randomUUID()}`)
    try {
      await writeFile(temporary, bytes, { mode: 0o644 })
      await rename(temporary, join(this.#options.dir, name))
    } finally {
      await rm(temporary, { force: true })
    }
    this.#add({ name, size: bytes.length })
  }

  #add(entry: Entry): void {
    this.#bytes += entry.size - (this.#entries.get(entry.name)?.size ?? 0)
    this.#entries.delete(entry.name)
    this.#entries.set(entry.name, entry)
  }

  async #trim(inUse: ReadonlySet<string>): Promise<void> {
    for (const entry of this.#entries.values()) {
      if (this.#bytes <= this.#options.maxBytes) return
      const path = join(this.#options.dir, entry.name)
      if (inUse.has(path)) continue
      this.#entries.delete(entry.name)
      this.#bytes -= entry.size
      await rm(path, { force: true })
    }
  }
}

async function facts(path: string): Promise<{ size: number; usedAt: number }> {
  const found = await stat(path).catch(() => undefined)
  return { size: found?.size ?? 0, usedAt: found?.mtimeMs ?? 0 }
}
