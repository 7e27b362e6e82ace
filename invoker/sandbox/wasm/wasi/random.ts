// wasi:random. What is called insecure is as good as the rest: a guest that mistakes the one for the other is not harmed.

/** The Web Crypto interface gives at most this much at once. */
const CHUNK_BYTES = 65_536
/** Most bytes of one question. */
const MAX_BYTES = 1_048_576

export function randomImports(): Record<string, object> {
  return {
    'wasi:random/random': { getRandomBytes: (count: bigint) => randomBytes(Number(count)), getRandomU64: randomU64 },
    'wasi:random/insecure': {
      getInsecureRandomBytes: (count: bigint) => randomBytes(Number(count)),
      getInsecureRandomU64: randomU64,
    },
    'wasi:random/insecure-seed': { insecureSeed: () => [randomU64(), randomU64()] },
  }
}

/** @throws Error, which traps the guest, for an amount that no honest guest wants */
export function randomBytes(count: number): Uint8Array {
  if (count > MAX_BYTES) throw new Error(`at most ${MAX_BYTES} random bytes at once: received ${count}`)
  const bytes = new Uint8Array(count)
  for (let offset = 0; offset < count; offset += CHUNK_BYTES) {
    crypto.getRandomValues(bytes.subarray(offset, offset + CHUNK_BYTES))
  }
  return bytes
}

function randomU64(): bigint {
  return crypto.getRandomValues(new BigUint64Array(1))[0]!
}
