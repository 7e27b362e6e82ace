// After kill -9: the next start finds the data intact and cleans up what the last one could not.
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import type { InvocationRecord } from '#core/record'
import { tempDir } from '#test/temp-dir'

import { deployJs, SLOW, UPPER } from './functions.ts'
import { eventually, processesWith, startHearth, type RunningHearth } from './hearth.ts'

const NO_DOCKER = { HEARTH_DOCKER_HOST: 'unix:///nonexistent/docker.sock' }

describe('after kill -9', () => {
  it('functions, token and queued calls are there again, and no process of before is', async () => {
    await using dir = await tempDir()
    const settings = {
      ...NO_DOCKER,
      HEARTH_DATA_DIR: join(dir.path, 'data'),
      HEARTH_CACHE_DIR: join(dir.path, 'cache'),
    }
    const before = await startHearth(settings)
    await deployJs(before, 'up', UPPER)
    await deployJs(before, 'slow', SLOW)
    const waiting = await submit(before, 'slow', '?ms=3000')
    await eventually(
      () => stateOf(before, waiting),
      (state) => state === 'running',
    )
    const redisBefore = (await processesWith(dir.path)).filter((line) => line.includes('redis'))
    expect(redisBefore).toHaveLength(1)
    before.kill('SIGKILL')
    await before.exited

    await using after = await startHearth(settings)
    expect(after.token).toBe(before.token)
    expect(await (await after.fn('up', { method: 'POST', body: 'again' })).text()).toBe('AGAIN')
    // Long before the lease of the process that died runs out: its Redis is private, so nobody else can hold the call.
    const state = await eventually(
      () => stateOf(after, waiting),
      (value) => value === 'succeeded',
      20_000,
    )
    expect(state).toBe('succeeded')
    const running = await processesWith(dir.path)
    expect(running.filter((line) => line.includes('redis'))).toHaveLength(1)
    expect(running.filter((line) => line.includes('--permission'))).toHaveLength(1)
  }, 180_000)
})

async function submit(hearth: RunningHearth, name: string, query: string): Promise<string> {
  const path = `/v1/functions/${name}/invocations?path=${encodeURIComponent(`/${query}`)}`
  const response = await hearth.api(path, { method: 'POST' })
  return ((await response.json()) as { id: string }).id
}

async function stateOf(hearth: RunningHearth, id: string): Promise<InvocationRecord['state']> {
  return ((await (await hearth.api(`/v1/invocations/${id}`)).json()) as InvocationRecord).state
}
