// Runs Lua in Redis: by its digest, and in full only when Redis does not know it (yet, or again after a restart).
import { createHash } from 'node:crypto'

import type { Redis } from 'ioredis'

import { guard, storeError } from './connect.ts'

export interface Script {
  readonly lua: string
  /** SHA-1, as Redis names scripts. */
  readonly digest: string
}

export function script(lua: string): Script {
  return { lua, digest: createHash('sha1').update(lua).digest('hex') }
}

/** @throws PlatformError as `guard` */
export async function runScript(
  redis: Redis,
  { lua, digest }: Script,
  keys: readonly string[],
  args: readonly (string | number | Buffer)[],
): Promise<unknown> {
  try {
    return await redis.evalsha(digest, keys.length, ...keys, ...args)
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw storeError(error)
    return guard(redis.eval(lua, keys.length, ...keys, ...args))
  }
}
