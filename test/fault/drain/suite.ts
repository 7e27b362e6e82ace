// A drain loses nothing, whatever runs the code: deploys, sandboxes that go and a process that is replaced, all under load.
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { freePort } from '#test/brokers/port'
import { eventually, type RunningHearth, startHearth } from '#test/e2e/hearth'
import { tempDir, type TempDir } from '#test/temp-dir'

import { codeOf, type Load, startLoad } from './load.ts'

export interface DrainSubject {
  /** `js` or `node`. */
  readonly runtime: 'js' | 'node'
  readonly settings: Readonly<Record<string, string>>
}

const DEPLOYS = 3
const RESTARTS = 3
const TEST_MS = 300_000
const NAME = 'steady'
/** Calls between two events. */
const MORE = 20

export function describeDrain({ runtime, settings }: DrainSubject): void {
  describe(`under load, a ${runtime} function`, () => {
    let dir: TempDir
    let hearth: RunningHearth
    let start: () => Promise<RunningHearth>

    beforeAll(async () => {
      dir = await tempDir()
      const env = {
        ...settings,
        // The one that comes next must be where its clients look for it.
        HEARTH_PORT: String(await freePort()),
        HEARTH_DATA_DIR: join(dir.path, 'data'),
        HEARTH_CACHE_DIR: join(dir.path, 'cache'),
      }
      start = () => startHearth(env)
      hearth = await start()
    })
    afterAll(async () => {
      await hearth?.[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    })

    async function deploy(version: string, query: string): Promise<void> {
      const path = `/v1/functions/${NAME}?runtime=${runtime}&${query}`
      const headers = { 'content-type': 'text/javascript' }
      const response = await hearth.api(path, { method: 'PUT', headers, body: codeOf(version) })
      expect([response.status, await response.text()]).toEqual([201, expect.any(String)])
    }

    function load(): Load {
      return startLoad(() => `${hearth.url}/fn/${NAME}`)
    }

    it(
      'is deployed again and again without a failed call',
      async () => {
        await deploy('v0', 'concurrency=4')
        const calls = load()
        for (let n = 1; n <= DEPLOYS; n++) {
          await goesOn(calls)
          await deploy(`v${n}`, 'concurrency=4')
        }
        await goesOn(calls)
        const { failed, refused, streams, versions } = await calls.stop()
        expect({ failed, refused }).toEqual({ failed: [], refused: 0 })
        expect(streams).toBeGreaterThan(0)
        expect(versions).toContain(`v${DEPLOYS}`)
        expect(await (await hearth.fn(NAME)).text()).toBe(`v${DEPLOYS}`)
      },
      TEST_MS,
    )

    it(
      'loses sandboxes without a failed call',
      async () => {
        await deploy('many', 'concurrency=1&maxSandboxes=6')
        const calls = load()
        await goesOn(calls)
        // One where there were several, then none that outlives its call.
        await deploy('one', 'concurrency=6&maxSandboxes=1')
        await goesOn(calls)
        await deploy('none', 'concurrency=1&maxSandboxes=6&keepAlive=0s')
        await goesOn(calls)
        const { failed, refused, streams, versions } = await calls.stop()
        expect({ failed, refused }).toEqual({ failed: [], refused: 0 })
        expect(streams).toBeGreaterThan(0)
        expect([...versions]).toEqual(expect.arrayContaining(['many', 'one', 'none']))
      },
      TEST_MS,
    )

    it(
      'outlives the process: whoever was refused is served by the next one, and what ran was finished',
      async () => {
        await deploy('lasting', 'concurrency=6')
        const calls = load()
        for (let n = 0; n < RESTARTS; n++) {
          await goesOn(calls)
          hearth.kill('SIGTERM')
          expect(await hearth.exited).toBe(0)
          hearth = await start()
        }
        await goesOn(calls)
        const { failed, refused, streams } = await calls.stop()
        expect(failed).toEqual([])
        expect(refused).toBeGreaterThan(0)
        expect(streams).toBeGreaterThan(0)
      },
      TEST_MS,
    )
  })
}

/** Some more calls were answered. */
async function goesOn(calls: Load): Promise<void> {
  const before = calls.answered()
  await eventually(
    async () => calls.answered(),
    (answered) => answered >= before + MORE,
    60_000,
  )
}
