// How it ends: Ctrl-C, a second one, SIGTERM. Nothing may be left.
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { sleep } from '#core/clock'
import { tempDir, type TempDir } from '#test/temp-dir'

import { deployJs, SLOW } from './functions.ts'
import { eventually, processesWith, startHearth, type RunningHearth } from './hearth.ts'

const NO_DOCKER = { HEARTH_DOCKER_HOST: 'unix:///nonexistent/docker.sock' }

describe('the end of hearth serve', () => {
  let dir: TempDir
  let settings: Record<string, string>

  beforeAll(async () => {
    dir = await tempDir()
    const [HEARTH_DATA_DIR, HEARTH_CACHE_DIR] = [join(dir.path, 'data'), join(dir.path, 'cache')]
    settings = { ...NO_DOCKER, HEARTH_DATA_DIR, HEARTH_CACHE_DIR, XDG_RUNTIME_DIR: dir.path }
    await using hearth = await startHearth(settings)
    expect((await deployJs(hearth, 'slow', SLOW)).status).toBe(201)
  })
  afterAll(() => dir[Symbol.asyncDispose]())

  it.each([
    ['Ctrl-C', (hearth: RunningHearth) => hearth.interrupt()],
    ['SIGTERM', (hearth: RunningHearth) => hearth.kill('SIGTERM')],
  ])('%s lets running calls finish, ends with 0 and leaves nothing', async (_, end) => {
    await using hearth = await startHearth(settings)
    const running = hearth.fn('slow?ms=1500')
    await sleep(500, AbortSignal.timeout(5000))
    end(hearth)
    const response = await running
    expect([response.status, await response.text()]).toEqual([200, 'done'])
    expect(await hearth.exited).toBe(0)
    await expectNothingLeft(dir.path)
  })

  it('a second Ctrl-C does not wait for running calls', async () => {
    await using hearth = await startHearth({ ...settings, HEARTH_DRAIN_MS: '600000' })
    const running = hearth.fn('slow?ms=25000').then(
      (response) => response.status,
      () => 0,
    )
    await sleep(500, AbortSignal.timeout(5000))
    hearth.interrupt()
    await sleep(1500, AbortSignal.timeout(5000))
    hearth.interrupt()
    expect(await hearth.exited).toBe(0)
    expect(await running).not.toBe(200)
    await expectNothingLeft(dir.path)
  })

  it('SIGTERM to npm around it ends everything too', async () => {
    await using hearth = await startHearth(settings, 'npm')
    expect((await hearth.fn('slow?ms=1')).status).toBe(200)
    hearth.kill('SIGTERM')
    await hearth.exited
    await eventually(
      () => processesWith(dir.path),
      (left) => left.length === 0,
    )
    await expectNothingLeft(dir.path)
  })

  it('npm passing a Ctrl-C on is not a second one', async () => {
    await using hearth = await startHearth(settings)
    const running = hearth.fn('slow?ms=1500')
    await sleep(500, AbortSignal.timeout(5000))
    hearth.interrupt()
    await sleep(50, AbortSignal.timeout(5000))
    hearth.interrupt()
    expect((await running).status).toBe(200)
    expect(await hearth.exited).toBe(0)
  })
})

/** No process, no socket, and no file that says an instance runs. */
async function expectNothingLeft(dir: string): Promise<void> {
  expect(await processesWith(dir)).toEqual([])
  const paths = await readdir(dir, { recursive: true })
  const kinds = await Promise.all(
    paths.map(async (path) => ({ path, socket: (await stat(join(dir, path))).isSocket() })),
  )
  expect(kinds.filter(({ path, socket }) => socket || path.endsWith('instance.json'))).toEqual([])
}
