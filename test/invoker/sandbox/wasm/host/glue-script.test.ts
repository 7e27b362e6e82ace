import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { digestOf } from '#core/digest'
import type { LocalFile } from '#core/artifact'
import { FORMAT } from '#invoker/sandbox/wasm/artifact'
import { runGlueScript } from '#invoker/sandbox/wasm/host/glue-script'
import { ModuleCache } from '#invoker/sandbox/wasm/host/modules'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hearth-glue-'))
})
afterAll(() => rm(dir, { recursive: true }))

async function file(path: string, text: string): Promise<LocalFile> {
  const localPath = join(dir, `${digestOf(Buffer.from(text))}-${path}`)
  await writeFile(localPath, text)
  return { path, digest: digestOf(Buffer.from(text)), size: text.length, localPath }
}

describe('runGlueScript()', () => {
  it('gives what the script exports, and its compiled code once', async () => {
    const { localPath } = await file('component.js', '({ answer: () => 42 })')
    const first = await runGlueScript(localPath, undefined)
    const code = first.takeCode()
    const second = await runGlueScript(localPath, code)
    for (const { exports } of [first, second]) expect((exports as { answer: () => number }).answer()).toBe(42)
    expect(second.takeCode()).toBeUndefined()
  })

  it('does without code that does not fit, and gives new', async () => {
    const { localPath } = await file('component.js', '({ other: 1 })')
    const script = await runGlueScript(localPath, new Uint8Array(100))
    expect(script.exports).toEqual({ other: 1 })
    expect(script.takeCode()?.length).toBeGreaterThan(0)
  })

  it('lets the script import nothing', async () => {
    const { localPath } = await file('component.js', `import('node:fs')`)
    const { exports } = await runGlueScript(localPath, undefined)
    await expect(exports).rejects.toThrow(/dynamic import callback/)
  })
})

describe('ModuleCache', () => {
  it('keeps compiled glue by what is in the glue', async () => {
    const manifest = await file(
      'manifest.json',
      JSON.stringify({ format: FORMAT, glue: 'component.js', script: true, cores: {} }),
    )
    const glue = await file('component.js', '({})')
    const other = await file('component.js', '({ other: true })')
    const cache = new ModuleCache(1000)
    const first = await cache.load([manifest, glue])
    expect(first.glueCode).toBeUndefined()
    first.keepGlueCode(Uint8Array.of(1))
    expect((await cache.load([manifest, glue])).glueCode).toEqual(Uint8Array.of(1))
    expect((await cache.load([manifest, other])).glueCode).toBeUndefined()
  })
})
