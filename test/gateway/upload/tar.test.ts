import { gzipSync } from 'node:zlib'

import { pack } from 'tar-stream'
import { expect, test } from 'vitest'

import { untar } from '#gateway/upload/tar'

const LIMIT = 1_000_000

type Header = Parameters<ReturnType<typeof pack>['entry']>[0]

async function tarOf(...entries: readonly [Header, string?][]): Promise<Buffer> {
  const tar = pack()
  for (const [header, text = ''] of entries) tar.entry(header, text)
  tar.finalize()
  return Buffer.concat(await Array.fromAsync(tar as AsyncIterable<Buffer>))
}

test('untar() reads a tar.gz and a plain tar, long names included', async () => {
  const long = `${'folder/'.repeat(25)}file.js`
  const tar = await tarOf([{ name: 'lib', type: 'directory' }], [{ name: './a.js' }, 'one'], [{ name: long }, 'two'])
  for (const bytes of [tar, gzipSync(tar)]) {
    const files = await untar(bytes, LIMIT)
    expect([...files].map(([path, content]) => [path, Buffer.from(content).toString()])).toEqual([
      ['a.js', 'one'],
      [long, 'two'],
    ])
  }
})

test.for(['symlink', 'link', 'fifo', 'character-device'] as const)('untar() refuses a %s', async (type) => {
  const tar = await tarOf([{ name: 'a.js', type, linkname: '/etc/passwd' }])
  await expect(untar(gzipSync(tar), LIMIT)).rejects.toMatchObject({
    code: 'invalid-archive',
    message: new RegExp(type),
  })
})

test.for(['../a.js', '/etc/a.js', 'a/../b'])('untar() refuses the path %j', async (name) => {
  await expect(untar(gzipSync(await tarOf([{ name }, 'x'])), LIMIT)).rejects.toMatchObject({ code: 'invalid-archive' })
})

test('untar() refuses a file twice', async () => {
  const tar = await tarOf([{ name: 'a.js' }, '1'], [{ name: './a.js' }, '2'])
  await expect(untar(tar, LIMIT)).rejects.toMatchObject({ message: /twice/ })
})

test('untar() refuses more than the limit', async () => {
  const tar = await tarOf([{ name: 'a.js' }, 'x'.repeat(2000)])
  await expect(untar(gzipSync(tar), 1000)).rejects.toMatchObject({ code: 'payload-too-large' })
  const bomb = gzipSync(Buffer.alloc(48 * 1024 * 1024))
  await expect(untar(bomb, 1000)).rejects.toMatchObject({ code: 'payload-too-large' })
})

test('untar() refuses what is cut off or something else', async () => {
  const whole = gzipSync(await tarOf([{ name: 'a.js' }, 'x'.repeat(2000)]))
  for (const bytes of [
    whole.subarray(0, whole.length - 20),
    gzipSync('x'.repeat(2000)),
    Buffer.from('x'),
    new Uint8Array(0),
  ]) {
    await expect(untar(bytes, LIMIT)).rejects.toMatchObject({ code: 'invalid-archive' })
  }
})
