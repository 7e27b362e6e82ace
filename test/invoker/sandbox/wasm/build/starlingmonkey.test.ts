import { describe, expect, it } from 'vitest'

import { createWasmBuilder } from '#invoker/sandbox/wasm/build/builder'
import { tempDir } from '#test/temp-dir'

import { buildQuietly, draftOf, manifestOf, refusalOf } from './drafts.ts'

const SPEC = { engine: 'starlingmonkey', memoryMiB: 128 }
const HELLO = draftOf({ 'index.js': 'export default () => new Response("hello")' }, SPEC)

describe('createWasmBuilder(), engine starlingmonkey', () => {
  it('says what to do when its toolchain cannot be installed, and leaves nothing half done', async () => {
    await using cache = await tempDir()
    await using builder = createWasmBuilder({ cacheDir: cache.path })
    const path = process.env.PATH
    process.env.PATH = cache.path
    try {
      await expect(buildQuietly(builder, HELLO)).rejects.toMatchObject({
        code: 'driver-unavailable',
        message: expect.stringMatching(/npm could not install: .*Connect this machine.*or use engine "quickjs"/s),
      })
    } finally {
      process.env.PATH = path
    }
  })

  // 385 MB from the registry: whoever changes the engine's part sets this, the everyday run does not.
  if (process.env.HEARTH_TEST_STARLINGMONKEY !== undefined) {
    it('builds with the installed toolchain, and says where a top level throws', async () => {
      await using builder = createWasmBuilder({ cacheDir: process.env.HEARTH_TEST_STARLINGMONKEY as string })
      const { artifact } = await buildQuietly(builder, HELLO)
      expect(manifestOf(artifact)).toMatchObject({ world: 'function', engine: 'starlingmonkey', resettable: false })
      const broken = draftOf({ 'index.js': 'const a = 1\nthrow new TypeError("boo")' }, SPEC)
      expect(await refusalOf(builder, broken)).toMatchObject({ message: expect.stringContaining('boo') })
    }, 240_000)
  }
})
