// Bytes addressed by what is in them: uploads and artifacts. Knows no functions; whoever needs a blob says so.
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'

import type { Redis } from 'ioredis'

import type { ArtifactFile, BlobStore, FileSet } from '#core/artifact'
import { PlatformError } from '#core/errors'
import type { Digest } from '#core/ids'

import { guard } from './connect.ts'
import type { Keys } from './keys.ts'
import { runScript, type Script, script } from './script.ts'
import type { StoreSettings } from './settings.ts'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** The first byte of a stored blob. */
const PLAIN = 0
const ZSTD = 1
/** Below this, bytes, compression gains nothing. */
const SMALLEST_COMPRESSED = 512

/** Keeps an unneeded blob for another grace period. Returns whether the blob is there. */
const TOUCH = script(`
  if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
  if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
  return 1`)
const PUT = script(`
  if redis.call('EXISTS', KEYS[2]) == 0
  then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])
  else redis.call('SET', KEYS[1], ARGV[2]) end`)
const RETAIN = script(`
  if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
  redis.call('PERSIST', KEYS[1])
  redis.call('SADD', KEYS[2], ARGV[1])
  return 1`)
const RELEASE = script(`
  redis.call('SREM', KEYS[2], ARGV[1])
  if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end`)

/**
 * A blob that nobody retains expires after a grace period instead of being deleted: so a deploy that found it there
 * and uploads nothing does not lose it to a removal that runs at the same time.
 */
export class RedisBlobStore implements BlobStore {
  readonly #redis: Redis
  readonly #keys: Keys
  readonly #settings: Pick<StoreSettings, 'blobGraceMs'>

  constructor(redis: Redis, keys: Keys, settings: Pick<StoreSettings, 'blobGraceMs'>) {
    this.#redis = redis
    this.#keys = keys
    this.#settings = settings
  }

  async putAll(files: FileSet, signal: AbortSignal): Promise<readonly ArtifactFile[]> {
    const stored: ArtifactFile[] = []
    for (const [path, bytes] of files) {
      signal.throwIfAborted()
      const digest = digestOf(bytes)
      if (!(await this.#run(TOUCH, digest, this.#settings.blobGraceMs))) {
        await this.#run(PUT, digest, this.#settings.blobGraceMs, await encode(bytes))
      }
      stored.push({ path, digest, size: bytes.length })
    }
    return stored
  }

  async get(digest: Digest, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted()
    const stored = await guard(this.#redis.getBuffer(this.#keys.blob(digest)))
    signal.throwIfAborted()
    if (stored === null) throw new PlatformError('internal', { detail: `the blob ${digest} is gone` })
    const bytes = await decode(stored, digest)
    const actual = digestOf(bytes)
    if (actual === digest) return bytes
    throw new PlatformError('internal', { detail: `a blob should have the digest ${digest}: received ${actual}` })
  }

  /**
   * Keeps the blobs until `release` with the same owner. Idempotent.
   * @throws PlatformError `conflict` when one is not there; then none is kept
   */
  async retain(digests: Iterable<Digest>, owner: string): Promise<void> {
    const all = [...new Set(digests)]
    const found = await Promise.all(all.map((digest) => this.#run(RETAIN, digest, owner)))
    const missing = all.find((_, index) => !found[index])
    if (missing === undefined) return
    await this.release(all, owner)
    throw new PlatformError('conflict', { detail: `the blob ${missing} has expired: upload it again` })
  }

  /** Idempotent. */
  async release(digests: Iterable<Digest>, owner: string): Promise<void> {
    const { blobGraceMs } = this.#settings
    await Promise.all([...new Set(digests)].map((digest) => this.#run(RELEASE, digest, owner, blobGraceMs)))
  }

  #run(what: Script, digest: Digest, ...args: (string | number | Buffer)[]): Promise<unknown> {
    return runScript(this.#redis, what, [this.#keys.blob(digest), this.#keys.blobRefs(digest)], args)
  }
}

function digestOf(bytes: Uint8Array): Digest {
  return createHash('sha256').update(bytes).digest('hex') as Digest
}

async function encode(bytes: Uint8Array): Promise<Buffer> {
  if (bytes.length >= SMALLEST_COMPRESSED) {
    const packed = await compress(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3 } })
    if (packed.length < bytes.length * 0.95) return Buffer.concat([Buffer.of(ZSTD), packed])
  }
  return Buffer.concat([Buffer.of(PLAIN), bytes])
}

async function decode(stored: Buffer, digest: Digest): Promise<Uint8Array> {
  try {
    if (stored[0] === PLAIN) return stored.subarray(1)
    if (stored[0] === ZSTD) return await decompress(stored.subarray(1))
  } catch (cause) {
    throw new PlatformError('internal', { detail: `the blob ${digest} does not decompress`, cause })
  }
  throw new PlatformError('internal', { detail: `the blob ${digest} has the unknown encoding ${stored[0]}` })
}
