import { describe, expect, it } from 'vitest'

import { parseManifest, readManifest } from '#cli/deploy/manifest'
import { tempDir } from '#test/temp-dir'

describe('parseManifest()', () => {
  it('keeps its own fields apart from those of the spec', () => {
    const text = '{"name":"api","files":["src/**"],"runtime":"node","memoryMiB":128,"env":{"A":"1"}}'
    expect(parseManifest(text, 'function.json')).toEqual({
      name: 'api',
      files: ['src/**'],
      spec: { runtime: 'node', memoryMiB: 128, env: { A: '1' } },
    })
  })

  it.each([
    ['{"memoryMib":1}', 'function.json: unknown field "memoryMib"; did you mean "memoryMiB"?'],
    ['{"frobnicate":1}', 'function.json: unknown field "frobnicate"'],
    ['{"name":7}', 'function.json: name must be text: received 7'],
    ['{"files":"src"}', 'function.json: files must be a list of globs: received "src"'],
    ['[]', 'function.json must hold an object: received []'],
    ['{', 'function.json is not JSON'],
  ])('refuses %s', (text, message) => {
    expect(() => parseManifest(text, 'function.json')).toThrow(message)
  })
})

describe('readManifest()', () => {
  it('takes a folder without one as it is', async () => {
    await using dir = await tempDir()
    expect(await readManifest(dir.path)).toEqual({ spec: {} })
  })
})
