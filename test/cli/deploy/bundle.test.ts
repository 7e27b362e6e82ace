import { gunzipSync } from 'node:zlib'

import { extract } from 'tar-stream'
import { describe, expect, it } from 'vitest'

import { bundle } from '#cli/deploy/bundle'
import { tempDir } from '#test/temp-dir'

describe('bundle()', () => {
  it.each(['index.js', 'api.ts', 'greet.py', 'main.wasm'])('sends %s as it is', async (fileName) => {
    await using dir = await tempDir({ [fileName]: 'code' })
    const upload = await bundle(`${dir.path}/${fileName}`, {})
    expect(upload).toMatchObject({ fileName, spec: {}, name: fileName.split('.')[0] })
    expect(Buffer.from(upload.bytes).toString()).toBe('code')
  })

  it('packs a folder without what is ignored', async () => {
    await using dir = await tempDir({
      'My Api/index.js': '1',
      'My Api/lib/util.js': '2',
      'My Api/node_modules/left/index.js': '3',
      'My Api/.env': 'SECRET=1',
      'My Api/notes/draft.md': '4',
      'My Api/notes/keep.md': '5',
      'My Api/.hearthignore': 'notes/*\n!notes/keep.md\n',
      'My Api/function.json': '{"memoryMiB":128}',
    })
    const upload = await bundle(`${dir.path}/My Api`, {})
    expect(upload).toMatchObject({ name: 'my-api', spec: { memoryMiB: 128 } })
    expect(await pathsIn(upload.bytes)).toEqual(['index.js', 'lib/util.js', 'notes/keep.md'])
  })

  it('makes the same bytes of the same files', async () => {
    await using dir = await tempDir({ 'a/index.js': '1', 'b/index.js': '1' })
    expect((await bundle(`${dir.path}/a`, {})).bytes).toEqual((await bundle(`${dir.path}/b`, {})).bytes)
  })

  it('takes only the files that the manifest names', async () => {
    await using dir = await tempDir({
      'f/src/index.ts': '',
      'f/build.py': '',
      'f/function.json': '{"files":["src/**"],"handler":"src/index.handler"}',
    })
    expect(await pathsIn((await bundle(`${dir.path}/f`, {})).bytes)).toEqual(['src/index.ts'])
  })

  it('uploads the entry of the manifest alone, under the name of the folder', async () => {
    const manifest = '{"entry":"build/main.wasm","memoryMiB":32}'
    await using dir = await tempDir({ 'f/build/main.wasm': 'wasm', 'f/main.c': '', 'f/function.json': manifest })
    const upload = await bundle(`${dir.path}/f`, { timeoutMs: '50' })
    expect(upload).toMatchObject({
      name: 'f',
      fileName: 'main.wasm',
      spec: { memoryMiB: 32, timeoutMs: '50' },
    })
  })

  it('adds the packages that a package.json needs', async () => {
    await using dir = await tempDir({
      'app/package.json': '{"dependencies":{"a":"1"},"devDependencies":{"dev":"1"}}',
      'app/index.js': '',
      'app/node_modules/a/package.json': '{"dependencies":{"b":"2"}}',
      'app/node_modules/a/index.js': '',
      'app/node_modules/dev/package.json': '{}',
      'node_modules/b/package.json': '{}',
      'node_modules/b/b.js': '',
      'node_modules/b/b.d.ts': '',
    })
    expect(await pathsIn((await bundle(`${dir.path}/app`, {})).bytes)).toEqual([
      'index.js',
      'node_modules/a/index.js',
      'node_modules/a/package.json',
      'node_modules/b/b.js',
      'node_modules/b/package.json',
      'package.json',
    ])
  })

  it('keeps two versions of a package apart', async () => {
    await using dir = await tempDir({
      'package.json': '{"dependencies":{"a":"1","b":"1"}}',
      'index.js': '',
      'node_modules/b/package.json': '{"version":"1.0.0"}',
      'node_modules/a/package.json': '{"dependencies":{"b":"2"}}',
      'node_modules/a/node_modules/b/package.json': '{"version":"2.0.0"}',
    })
    expect(await pathsIn((await bundle(dir.path, {})).bytes)).toEqual([
      'index.js',
      'node_modules/a/node_modules/b/package.json',
      'node_modules/a/package.json',
      'node_modules/b/package.json',
      'package.json',
    ])
  })

  it('says which dependency is not installed', async () => {
    await using dir = await tempDir({ 'package.json': '{"dependencies":{"gone":"1"}}', 'index.js': '' })
    await expect(bundle(dir.path, {})).rejects.toThrow('depends on gone, which is not installed')
  })

  it.each([
    ['nothing', /there is no file or folder/],
    ['text.txt', /expected a folder, a .js/],
    ['empty', /has no files to deploy/],
    ['--.js', /gives no function name/],
  ])('refuses %s', async (name, message) => {
    await using dir = await tempDir({ 'text.txt': '', 'empty/.env': '', '--.js': '' })
    await expect(bundle(`${dir.path}/${name}`, {})).rejects.toThrow(message)
  })
})

async function pathsIn(archive: Uint8Array): Promise<string[]> {
  const reader = extract()
  reader.end(gunzipSync(archive))
  const paths: string[] = []
  for await (const entry of reader) {
    paths.push(entry.header.name)
    entry.resume()
  }
  return paths
}
