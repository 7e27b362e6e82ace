// Artifacts of builds that were done before. A cache: it may be deleted at any time, and nothing is lost.
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, stat, utimes, writeFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { FileSet } from '#core/artifact'
import type { Draft } from '#core/build'
import { packFiles, unpackFiles } from '#core/pack'

/** Beyond this the entries that were not used for longest go. */
const MAX_BYTES = 256 * 1024 * 1024

export interface BuildCache {
  get(key: string): Promise<FileSet | undefined>
  put(key: string, artifact: FileSet): Promise<void>
}

/** What an artifact depends on, and nothing else: not the name, not the limits that are kept at run time. */
export function buildKey({ source, spec }: Draft, toolchain: string): string {
  const hash = createHash('sha256')
  hash.update(JSON.stringify([toolchain, spec.runtime, spec.engine, spec.handler, spec.memoryMiB]))
  const paths = [...source.keys()].toSorted()
  for (const path of paths) {
    const bytes = source.get(path) ?? new Uint8Array()
    hash.update(`\n${JSON.stringify(path)} ${bytes.length}\n`).update(bytes)
  }
  return hash.digest('hex')
}

/** @param now ms since the epoch */
export function createBuildCache(dir: string, now: () => number): BuildCache {
  return {
    async get(key) {
      const path = join(dir, key)
      const packed = await readFile(path).catch(() => undefined)
      if (packed === undefined || packed.length < 32) return undefined
      // A machine that lost power may have kept half a file.
      const body = new Uint8Array(packed.buffer, packed.byteOffset + 32, packed.length - 32)
      if (!createHash('sha256').update(body).digest().equals(packed.subarray(0, 32))) return undefined
      await utimes(path, now() / 1000, now() / 1000).catch(() => {})
      return unpackFiles(body)
    },
    async put(key, artifact) {
      await mkdir(dir, { recursive: true })
      const body = packFiles(artifact)
      const temporary = join(dir, `.${key}-${randomUUID()}`)
      await writeFile(temporary, Buffer.concat([createHash('sha256').update(body).digest(), body]))
      await rename(temporary, join(dir, key))
      await trim(dir)
    },
  }
}

async function trim(dir: string): Promise<void> {
  const names = await readdir(dir)
  const entries = await Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs } = await stat(join(dir, name)).catch(() => ({ size: 0, mtimeMs: 0 }))
      return { name, size, mtimeMs }
    }),
  )
  let total = entries.reduce((sum, entry) => sum + entry.size, 0)
  for (const { name, size } of entries.toSorted((a, b) => a.mtimeMs - b.mtimeMs)) {
    if (total <= MAX_BYTES) return
    await rm(join(dir, name), { force: true })
    total -= size
  }
}
