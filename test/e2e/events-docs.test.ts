// The pages about events have commands that work as they are written.
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { tempDir, type TempDir } from '#test/temp-dir'

import { startHearth, type RunningHearth } from './hearth.ts'
import { runBlock, runnableBlocks } from './readme.ts'

/** By page what the commands of its blocks print, in order. */
const PAGES: Readonly<Record<string, readonly RegExp[]>> = {
  'docs/events.md': [/1 accepted, 1 delivery\n.*1 accepted, 0 deliveries; 1 matched no trigger\n[^]*big-orders/],
  'docs/triggers/schedule.md': [/tick calls hello-js[^]*hello-js@1 +tick +\w+[^]*removed tick/],
  'docs/triggers/http.md': [/\/hooks\/repo\n\{"accepted":1\}\{.*"code":"invalid-signature"/],
  'docs/triggers/events.md': [/\{"accepted":3,"deliveries":3,"unmatched":1\}$/],
}

describe('the pages about events', () => {
  let dir: TempDir
  let hearth: RunningHearth

  beforeAll(async () => {
    dir = await tempDir()
    hearth = await startHearth({
      HEARTH_DATA_DIR: join(dir.path, 'data'),
      HEARTH_CACHE_DIR: join(dir.path, 'cache'),
      HEARTH_DOCKER_HOST: 'unix:///nonexistent/docker.sock',
    })
  })
  afterAll(async () => {
    await hearth?.[Symbol.asyncDispose]()
    await dir[Symbol.asyncDispose]()
  })

  it.each(Object.entries(PAGES))('%s has commands that work', { timeout: 120_000 }, async (page, expected) => {
    const outputs: string[] = []
    for (const block of runnableBlocks(page, 'sh run')) outputs.push(await runBlock(block, hearth))
    expect(outputs).toEqual(expected.map((output) => expect.stringMatching(output)))
  })
})
