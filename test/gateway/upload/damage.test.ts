import { gzipSync } from 'node:zlib'

import { strToU8, zipSync } from 'fflate'
import { pack } from 'tar-stream'
import { expect, test } from 'vitest'

import { PlatformError } from '#core/errors'
import { untar } from '#gateway/upload/tar'
import { unzip } from '#gateway/upload/zip'

const ROUNDS = 400

async function tarSample(): Promise<Buffer> {
  const tar = pack()
  tar.entry({ name: 'a.js' }, 'x'.repeat(700))
  tar.entry({ name: `${'d/'.repeat(60)}b.js` }, 'b')
  tar.finalize()
  return Buffer.concat(await Array.fromAsync(tar as AsyncIterable<Buffer>))
}

function zipSample(): Buffer {
  return Buffer.from(zipSync({ 'a.js': strToU8('x'.repeat(500)), 'lib/b.js': [strToU8('b'), { level: 0 }] }))
}

/** A linear congruential generator: the same damage at every run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

function damaged(sample: Buffer, random: (below: number) => number): Buffer {
  const copy = Buffer.from(sample)
  for (let left = 1 + random(6); left > 0; left--) copy[random(copy.length)] = random(3) === 0 ? 0xff : random(256)
  return random(5) === 0 ? copy.subarray(0, random(copy.length)) : copy
}

test.for(['zip', 'tar', 'tar.gz'] as const)('a damaged %s is read or refused, never an accident', async (format) => {
  const sample = format === 'zip' ? zipSample() : await tarSample()
  const whole = format === 'tar.gz' ? gzipSync(sample) : sample
  const read = format === 'zip' ? unzip : untar
  const random = randomFrom(format.length)
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = damaged(whole, random)
    const result = await read(bytes, 5000).catch((error: unknown) => error)
    if (result instanceof PlatformError) expect(result.status).toBeOneOf([400, 413])
    else expect(result).toBeInstanceOf(Map)
  }
})
