import { strToU8, zipSync } from 'fflate'
import { expect, test } from 'vitest'

import { unzip } from '#gateway/upload/zip'

const LIMIT = 1_000_000
const CENTRAL = Buffer.from([0x50, 0x4b, 0x01, 0x02])

function zipOf(files: Record<string, string>, os = 0, attrs = 0): Buffer {
  const entries = Object.entries(files).map(([name, text]) => [name, [strToU8(text), { os, attrs }]])
  return Buffer.from(zipSync(Object.fromEntries(entries)))
}

/** Changes bytes of the first entry in the central directory. */
function patched(zip: Buffer, patch: (zip: Buffer, entryAt: number) => void): Buffer {
  const copy = Buffer.from(zip)
  patch(copy, copy.indexOf(CENTRAL))
  return copy
}

test('unzip() gives stored and deflated files, without folders and junk', async () => {
  const zip = zipSync({
    'a.js': strToU8('x'.repeat(1000)),
    'lib/b.js': [strToU8('b'), { level: 0 }],
    'empty/': new Uint8Array(0),
    'none.txt': new Uint8Array(0),
    '.DS_Store': strToU8('junk'),
    '__MACOSX/._a.js': strToU8('junk'),
  })
  const files = await unzip(zip, LIMIT)
  expect([...files].map(([path, bytes]) => [path, Buffer.from(bytes).toString()])).toEqual([
    ['a.js', 'x'.repeat(1000)],
    ['lib/b.js', 'b'],
    ['none.txt', ''],
  ])
})

test('unzip() reads a zip with a comment at its end', async () => {
  const zip = zipOf({ 'a.js': '1' })
  zip.writeUInt16LE(7, zip.length - 2)
  expect([...(await unzip(Buffer.concat([zip, Buffer.from('comment')]), LIMIT)).keys()]).toEqual(['a.js'])
})

test.for(['../a.js', '/a.js', 'a/../../b', 'a\\b.js', 'C:/a.js', 'a//b', 'a/./b', 'a\nb', `${'d/'.repeat(300)}x`])(
  'unzip() refuses the path %j',
  async (path) => {
    await expect(unzip(zipOf({ [path]: '1' }), LIMIT)).rejects.toMatchObject({ code: 'invalid-archive' })
  },
)

test('unzip() refuses a symbolic link', async () => {
  const zip = zipOf({ 'a.js': '/etc/passwd' }, 3, (0o120777 << 16) >>> 0)
  await expect(unzip(zip, LIMIT)).rejects.toMatchObject({ code: 'invalid-archive', message: /link/ })
})

test('unzip() takes a regular file with its Unix mode', async () => {
  const files = await unzip(zipOf({ 'a.js': '1' }, 3, (0o100644 << 16) >>> 0), LIMIT)
  expect(files.size).toBe(1)
})

test('unzip() refuses a file twice, and a file that is a folder too', async () => {
  const twice = zipOf({ 'a.js': '1', 'b.js': '2' })
  for (let at = twice.indexOf('b.js'); at !== -1; at = twice.indexOf('b.js')) twice.write('a', at)
  await expect(unzip(twice, LIMIT)).rejects.toMatchObject({ code: 'invalid-archive', message: /twice/ })
  await expect(unzip(zipOf({ a: '1', 'a/b': '2' }), LIMIT)).rejects.toMatchObject({ message: /received both/ })
  await expect(unzip(zipOf({ 'a/b': '2', a: '1' }), LIMIT)).rejects.toMatchObject({ message: /received both/ })
})

test('unzip() refuses more than the limit before it unpacks it', async () => {
  const zip = zipOf({ 'a.js': 'x'.repeat(600), 'b.js': 'x'.repeat(600) })
  await expect(unzip(zip, 1000)).rejects.toMatchObject({ code: 'payload-too-large' })
})

test('unzip() is not fooled by a file that says it is small', async () => {
  const zip = patched(zipOf({ 'a.js': 'x'.repeat(100_000) }), (copy, at) => copy.writeUInt32LE(10, at + 24))
  await expect(unzip(zip, 1000)).rejects.toMatchObject({ code: 'invalid-archive' })
})

test.for([
  ['a wrong checksum', (zip: Buffer, at: number) => zip.writeUInt32LE(1, at + 16)],
  ['encryption', (zip: Buffer, at: number) => zip.writeUInt16LE(1, at + 8)],
  ['an unknown method', (zip: Buffer, at: number) => zip.writeUInt16LE(99, at + 10)],
  ['an entry outside the file', (zip: Buffer, at: number) => zip.writeUInt32LE(0xfffffff, at + 42)],
  ['a name outside the file', (zip: Buffer, at: number) => zip.writeUInt16LE(0xffff, at + 28)],
] as const)('unzip() refuses %s', async ([, patch]) => {
  const zip = patched(zipOf({ 'a.js': 'x'.repeat(100), 'b.js': 'y' }), patch)
  await expect(unzip(zip, LIMIT)).rejects.toMatchObject({ code: 'invalid-archive' })
})

test('unzip() refuses what was cut off anywhere', async () => {
  const zip = zipOf({ 'a.js': 'x'.repeat(100) })
  for (let length = 0; length < zip.length; length++) {
    await expect(unzip(zip.subarray(0, length), LIMIT)).rejects.toMatchObject({ code: 'invalid-archive' })
  }
})

test('unzip() refuses a zip without files', async () => {
  await expect(unzip(zipSync({}), LIMIT)).rejects.toMatchObject({ code: 'invalid-archive' })
})
