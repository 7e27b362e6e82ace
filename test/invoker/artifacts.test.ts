import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import type { ArtifactFile, BlobStore } from '#core/artifact'
import { systemClock } from '#core/clock'
import { digestOf } from '#core/digest'
import { ArtifactCache } from '#invoker/artifacts'

const never = new AbortController().signal
let dir: string
let gets: string[]

const blobs: Pick<BlobStore, 'get'> = {
  get: async (digest) => {
    gets.push(digest)
    await new Promise((resolve) => setImmediate(resolve))
    return contents.get(digest) ?? Buffer.from('not what was asked for')
  },
}
const contents = new Map<string, Uint8Array>()

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hearth-artifacts-'))
  gets = []
})

afterEach(() => rm(dir, { recursive: true }))

function cache(maxBytes = 1000): ArtifactCache {
  const store = { ...blobs, putAll: () => Promise.reject(new Error('not of use here')) }
  return new ArtifactCache({ dir: join(dir, 'cache'), blobs: store, maxBytes, clock: systemClock })
}

function file(path: string, text: string): ArtifactFile {
  const bytes = Buffer.from(text)
  const digest = digestOf(bytes)
  contents.set(digest, bytes)
  return { path, digest, size: bytes.length }
}

test('fetches a file once however many ask, and names it by digest and extension', async () => {
  const artifacts = cache()
  const asked = file('lib/glue.js', 'export {}')
  const all = await Promise.all(Array.from({ length: 5 }, () => artifacts.fetch([asked], never)))
  expect(gets).toEqual([asked.digest])
  const [local] = all[0] ?? []
  expect(local).toMatchObject({ ...asked, localPath: join(dir, 'cache', `${asked.digest}.js`) })
  expect(await readFile(local?.localPath ?? '', 'utf8')).toBe('export {}')
})

test('finds after a restart what it fetched before', async () => {
  const asked = file('a.wasm', 'bytes')
  await cache().fetch([asked], never)
  await cache().fetch([asked], never)
  expect(gets).toHaveLength(1)
})

test('fetches a file again that was deleted or cut short', async () => {
  const artifacts = cache()
  const asked = file('a.js', 'whole')
  const [local] = await artifacts.fetch([asked], never)
  await writeFile(local?.localPath ?? '', 'who')
  await artifacts.fetch([asked], never)
  await rm(local?.localPath ?? '')
  await artifacts.fetch([asked], never)
  expect(gets).toHaveLength(3)
  expect(await readFile(local?.localPath ?? '', 'utf8')).toBe('whole')
})

test('refuses bytes that are not what the digest says, and leaves nothing of them', async () => {
  const wrong = { path: 'a.js', digest: digestOf(Buffer.from('unknown')), size: 7 }
  await expect(cache().fetch([wrong], never)).rejects.toMatchObject({ code: 'internal' })
  expect(await readdir(join(dir, 'cache'))).toEqual([])
})

test('drops what was not used for longest, and nothing of what was just asked for', async () => {
  const artifacts = cache(25)
  const [first, second, third] = ['first-10-b', 'secnd-10-b', 'third-10-b'].map((text) => file('x.js', text))
  if (first === undefined || second === undefined || third === undefined) throw new Error('three files')
  await artifacts.fetch([first], never)
  await artifacts.fetch([second], never)
  await artifacts.fetch([first], never)
  await artifacts.fetch([third], never)
  expect((await readdir(join(dir, 'cache'))).toSorted()).toEqual(
    [`${first.digest}.js`, `${third.digest}.js`].toSorted(),
  )
  await artifacts.fetch([first, second, third], never)
  expect(await readdir(join(dir, 'cache'))).toHaveLength(3)
})

test('keeps files that no store has yet', async () => {
  const [local] = await cache().keep(new Map([['code.pack', Buffer.from('packed')]]))
  expect(local).toMatchObject({ path: 'code.pack', size: 6 })
  expect(await readFile(local?.localPath ?? '', 'utf8')).toBe('packed')
  expect(gets).toEqual([])
})
