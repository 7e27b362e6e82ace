import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { tempDir } from '#test/temp-dir'

import { startHearth } from './hearth.ts'
import { runBlock, runnableBlocks } from './readme.ts'

describe('README.md', () => {
  it('has commands that work as they are written', async () => {
    await using dir = await tempDir()
    await using hearth = await startHearth({
      HEARTH_DATA_DIR: join(dir.path, 'data'),
      HEARTH_CACHE_DIR: join(dir.path, 'cache'),
      HEARTH_DOCKER_HOST: 'unix:///nonexistent/docker.sock',
    })
    const outputs: string[] = []
    for (const block of runnableBlocks('README.md', 'sh run')) outputs.push(await runBlock(block, hearth))
    expect(outputs[0]).toMatch(/WARM$/)
    expect(outputs[1]).toContain('Hello, world!')
    expect(outputs[2]).toContain('✓ hello-wasm deployed version 1')
    expect(outputs[3]).toMatch(/^LATER/)
    expect(outputs[4]).toMatch(/1 accepted, 1 delivery[^]*big-orders/)
    expect(outputs).toHaveLength(5)
  }, 180_000)
})
