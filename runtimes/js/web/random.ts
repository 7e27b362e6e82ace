// Math.random and crypto on the host's entropy. The engine's own generator is frozen in the snapshot: the same in
// every instance.
import host from 'hearth:js/host@0.1.0'

import { beforeEveryCall, isLive, requireLive } from '../calls.ts'

const POOL_BYTES = 256
const MAX_BYTES = 65_536
let pool: Uint32Array | undefined
let used = 0
/** Of the sequence at build time. */
let state = 1

// A restored instance finds the pool of the call that the image was taken after; two calls must not share it.
beforeEveryCall(() => {
  pool = undefined
})

/** At build time a fixed sequence, so that equal sources give equal artifacts. */
export function mathRandom(): number {
  if (!isLive()) {
    state = (state * 16_807) % 2_147_483_647
    return state / 2_147_483_647
  }
  if (pool === undefined || used + 2 > pool.length) {
    pool = new Uint32Array(host.random(POOL_BYTES).slice().buffer)
    used = 0
  }
  const high = (pool[used] as number) >>> 5
  const low = (pool[used + 1] as number) >>> 6
  used += 2
  return (high * 67_108_864 + low) / 9_007_199_254_740_992
}

function getRandomValues<T extends ArrayBufferView>(array: T): T {
  requireLive('crypto.getRandomValues')
  if (array instanceof DataView || array instanceof Float32Array || array instanceof Float64Array) {
    throw new DOMException('getRandomValues expects an array of integers', 'TypeMismatchError')
  }
  if (array.byteLength > MAX_BYTES) {
    throw new DOMException(
      `getRandomValues gives at most ${MAX_BYTES} bytes: received ${array.byteLength}`,
      'QuotaExceededError',
    )
  }
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(host.random(array.byteLength))
  return array
}

function randomUUID(): string {
  requireLive('crypto.randomUUID')
  const bytes = host.random(16)
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  const hex = (bytes as unknown as { toHex(): string }).toHex()
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

export const crypto = { getRandomValues, randomUUID }
