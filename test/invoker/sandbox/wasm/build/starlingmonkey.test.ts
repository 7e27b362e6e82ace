import { describe, expect, it } from 'vitest'

import { digestOf } from '#core/digest'
import { createWasmBuilder } from '#invoker/sandbox/wasm/build/builder'
import { tempDir } from '#test/temp-dir'

import { WasmWorkshop } from '../sandboxes.ts'
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

  // 385 MB from the registry: where everything is required, and for whoever changes the engine's part.
  if (process.env.HEARTH_TEST_REQUIRE === 'all' || process.env.HEARTH_TEST_STARLINGMONKEY !== undefined) {
    it('installs its toolchain, builds what answers with the full web API, and says where a top level throws', async () => {
      await using cache = await tempDir()
      await using builder = createWasmBuilder({ cacheDir: process.env.HEARTH_TEST_STARLINGMONKEY ?? cache.path })
      const code = `export default async (request) => {
        const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(await request.text()))
        return new Response(new Uint8Array(digest).toHex?.() ?? [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, '0')).join(''))
      }`
      const { artifact } = await buildQuietly(builder, draftOf({ 'index.js': code }, SPEC))
      expect(manifestOf(artifact)).toMatchObject({ world: 'function', engine: 'starlingmonkey', resettable: false })
      await using workshop = await WasmWorkshop.open()
      const loaded = await workshop.load(artifact, SPEC)
      for (const text of ['one', 'two']) {
        const reply = await loaded.call('/', { method: 'POST', body: Buffer.from(text) })
        expect(reply).toMatchObject({ outcome: { kind: 'responded', status: 200 }, text: digestOf(Buffer.from(text)) })
      }
      await loaded.sandbox[Symbol.asyncDispose]()
      const broken = draftOf({ 'index.js': 'const a = 1\nthrow new TypeError("boo")' }, SPEC)
      expect(await refusalOf(builder, broken)).toMatchObject({ message: expect.stringContaining('boo') })
    }, 300_000)
  }
})
