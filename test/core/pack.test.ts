import { expect, it } from 'vitest'

import { packFiles, unpackFiles } from '#core/pack'

const files = new Map([
  ['index.js', Buffer.from('export default 1')],
  ['dir/ünïcode.txt', Buffer.from([0, 255, 128])],
  ['empty', Buffer.alloc(0)],
])

it('packFiles() and unpackFiles() give back what went in, in order', () => {
  const back = unpackFiles(packFiles(files))
  expect([...back].map(([path, bytes]) => [path, [...bytes]])).toEqual(
    [...files].map(([path, bytes]) => [path, [...bytes]]),
  )
})

it('packFiles() gives the same bytes for the same files', () => {
  expect(packFiles(files)).toEqual(packFiles(new Map(files)))
})

it('unpackFiles() refuses every truncation', () => {
  const packed = packFiles(files)
  for (let size = 0; size < packed.length; size++) {
    expect(() => unpackFiles(packed.subarray(0, size))).toThrow('ends too early')
  }
})
