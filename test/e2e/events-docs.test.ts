// The pages about events and calls for later have commands that work as they are written.
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { tempDir, type TempDir } from '#test/temp-dir'

import { startHearth, type RunningHearth } from './hearth.ts'
import { runBlock, runnableBlocks } from './readme.ts'

interface Page {
  readonly path: string
  /** What the commands of its blocks print, in order. */
  readonly outputs: readonly RegExp[]
  /** Starts the broker that the page talks to. */
  readonly broker?: () => Promise<PageBroker>
}

interface PageBroker extends AsyncDisposable {
  /** What stands in the page, and what it is here: `127.0.0.1:4222`, a free port. */
  readonly replace: readonly (readonly [from: string, to: string])[]
}

const PAGES: readonly Page[] = [
  {
    path: 'docs/async.md',
    outputs: [/"function":"hello-js","version":1,"state":"queued"/, /"function":"up"[^]*TOLD[^]*hello-js@1/],
  },
  {
    path: 'docs/events.md',
    outputs: [/1 accepted, 1 delivery\n.*1 accepted, 0 deliveries; 1 matched no trigger\n[^]*big-orders/],
  },
  { path: 'docs/triggers/schedule.md', outputs: [/tick calls hello-js[^]*hello-js@1 +tick +\w+[^]*removed tick/] },
  { path: 'docs/triggers/http.md', outputs: [/\/hooks\/repo\n\{"accepted":1\}\{.*"code":"invalid-signature"/] },
  { path: 'docs/triggers/events.md', outputs: [/\{"accepted":3,"deliveries":3,"unmatched":1,"refused":0\}$/] },
]

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

  it.each(PAGES)('$path has commands that work', { timeout: 120_000 }, async ({ path, outputs, broker }) => {
    await using opened = await broker?.()
    const printed: string[] = []
    for (const block of runnableBlocks(path, 'sh run')) {
      const here = (opened?.replace ?? []).reduce((text, [from, to]) => text.replaceAll(from, to), block)
      printed.push(await runBlock(here, hearth))
    }
    expect(printed).toEqual(outputs.map((output) => expect.stringMatching(output)))
  })
})
