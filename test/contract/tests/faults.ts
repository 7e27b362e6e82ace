// Contract: whatever the code does, the caller learns what came of it, and the next call works.
import { expect } from 'vitest'

import { BROKEN_MESSAGE } from '../behaviours.ts'
import type { Reply, World } from '../world.ts'

export const faultTests = {
  'reports what the code threw': async (world: World) => {
    const version = await world.shared()
    const { completion } = await world.call(version, '/throw')
    expect(completion.outcome).toMatchObject({
      kind: 'failed',
      failure: {
        type: expect.stringMatching(/^(TypeError|ValueError)$/),
        message: 'deliberate failure',
        stack: expect.stringContaining('\n'),
      },
    })
    await expectWorks(world, version)
  },

  'reports what the code threw while it was loaded': async (world: World) => {
    const files = await world.fixture.broken?.()
    if (files === undefined) throw new Error('the fixture has no broken artifact: skip this test with a reason')
    const { completion } = await world.call(await world.deploy({}, { files }), '/hello')
    expect(completion.outcome).toMatchObject({
      kind: 'failed',
      failure: { message: expect.stringContaining(BROKEN_MESSAGE) },
    })
  },

  'ends an infinite loop at its time limit': async (world: World) => {
    const version = await world.deploy({ timeoutMs: 500 })
    await expectWorks(world, version)
    expectTimedOut(await world.call(version, '/loop'), 500)
    await expectWorks(world, version)
  },

  'ends a call that waits for too long at its time limit': async (world: World) => {
    const version = await world.deploy({ timeoutMs: 300 })
    expectTimedOut(await world.call(version, '/sleep?ms=20000'), 300)
    await expectWorks(world, version)
  },

  'ends a stream at its time limit': async (world: World) => {
    const version = await world.deploy({ timeoutMs: 700 })
    const reply = await world.call(version, '/stream?n=100&ms=200')
    expectTimedOut(reply, 700)
    expect(reply.text).toContain('chunk 0\n')
    await expectWorks(world, version)
  },

  'ends a memory bomb as out of memory': async (world: World) => {
    const version = await world.deploy({ timeoutMs: 25_000 })
    const { completion } = await world.call(version, '/bomb')
    expect(completion.outcome).toEqual({ kind: 'out-of-memory', limitMiB: version.spec.memoryMiB })
    await expectWorks(world, version)
  },

  'reports that the code ended its sandbox': async (world: World) => {
    const version = await world.deploy()
    const { completion } = await world.call(version, '/exit')
    expect(completion.outcome).toMatchObject({ kind: 'exited', detail: expect.stringMatching(/./) })
    await expectWorks(world, version)
  },

  'cancels a call whose caller has gone': async (world: World) => {
    const version = await world.deploy()
    await expectWorks(world, version)
    const caller = new AbortController()
    const call = world.call(version, '/sleep?ms=20000', { signal: caller.signal })
    setTimeout(() => caller.abort(), 100)
    const { completion } = await call
    expect(completion.outcome).toEqual({ kind: 'cancelled' })
    expect(completion.timings.runMs).toBeLessThan(5000)
    await expectWorks(world, version)
  },

  'does not cancel the calls beside a cancelled one': async (world: World) => {
    const version = await world.deploy({ concurrency: 4 })
    await expectWorks(world, version)
    const caller = new AbortController()
    const beside = world.call(version, '/sleep?ms=600')
    const call = world.call(version, '/sleep?ms=20000', { signal: caller.signal })
    setTimeout(() => caller.abort(), 100)
    expect((await call).completion.outcome).toEqual({ kind: 'cancelled' })
    expect((await beside).text).toBe('slept')
  },
} satisfies Record<string, (world: World) => Promise<void>>

export async function expectWorks(world: World, version: Awaited<ReturnType<World['deploy']>>): Promise<void> {
  const reply = await world.call(version, '/hello')
  expect(reply.completion.outcome).toEqual({ kind: 'responded', status: 200 })
  expect(reply.text).toBe('hello')
}

/** The promise is ± 250 ms; the margin above it is for the machine that runs the tests. */
function expectTimedOut({ completion }: Reply, limitMs: number): void {
  expect(completion.outcome).toEqual({ kind: 'timed-out', limitMs })
  expect(completion.timings.runMs).toBeGreaterThan(limitMs - 5)
  expect(completion.timings.runMs).toBeLessThan(limitMs + 750)
}
