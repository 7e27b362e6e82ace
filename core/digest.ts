// What makes two versions the same one: the digest over code and spec.
import { hash } from 'node:crypto'

import type { FileSet } from './artifact.ts'
import type { FunctionSpec } from './function.ts'
import { parseDigest } from './ids.ts'
import type { Digest } from './ids.ts'

export function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(hash('sha256', bytes))
}

/** Equal for equal files and equal specs, in whatever order their parts came. */
export function versionDigest(spec: FunctionSpec, source: FileSet): Digest {
  const files = [...source].map(([path, bytes]) => [path, digestOf(bytes)]).toSorted(byFirst)
  return digestOf(Buffer.from(JSON.stringify([canonical(spec), files])))
}

/** Objects as sorted pairs, so that the order of keys does not matter. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object' || value === null) return value
  const pairs = Object.entries(value).map(([key, item]): [string, unknown] => [key, canonical(item)])
  return pairs.toSorted(byFirst)
}

function byFirst([a = '']: readonly unknown[], [b = '']: readonly unknown[]): number {
  return (a as string) < (b as string) ? -1 : 1
}
