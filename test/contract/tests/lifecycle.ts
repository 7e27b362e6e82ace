// Contract: sandboxes come, are used again, go, and leave nothing behind.
import { expect } from 'vitest'

import { expectWorks } from './faults.ts'
import { Recorder, World } from '../world.ts'
import { systemClock } from '#core/clock'
import type { FunctionVersion } from '#core/function'
import { newInvocationId } from '#core/ids'
import type { Invocation } from '#core/invocation'
import type { FunctionActivity } from '#core/invoker'
import type { Outcome } from '#core/outcome'
import type { Sandbox } from '#invoker/sandbox/driver'
import { GuardedSandbox } from '#invoker/sandbox/guarded-sandbox'

const NONE = { starting: 0, idle: 0, paused: 0, hibernated: 0, busy: 0, draining: 0, generic: 0 }
const never = (): AbortSignal => new AbortController().signal

export const lifecycleTests = {
  'starts cold and is warm afterwards': async (world: World) => {
    const version = await world.deploy()
    expect((await world.call(version, '/hello')).start?.kind).toBe('cold')
    expect((await world.call(version, '/hello')).start?.kind).toBe('warm')
  },

  'scales to zero and serves the next call': async (world: World) => {
    const version = await world.deploy({ keepAliveMs: 200 })
    await expectWorks(world, version)
    await expect.poll(() => world.invoker.activity(version).sandboxes, { timeout: 15_000 }).toEqual(NONE)
    expect((await world.call(version, '/hello')).start?.kind).not.toBe('warm')
  },

  'fails no call when a new version comes while calls run': async (world: World) => {
    const old = await world.deploy({ concurrency: 2 })
    await expectWorks(world, old)
    const running = Array.from({ length: 4 }, () => world.call(old, '/sleep?ms=500'))
    const next = await world.deploy({ env: { NEW: 'yes' } }, { of: old })
    world.invoker.retire(old.function, next.number)
    expect((await world.call(next, '/env?name=NEW')).text).toBe('yes')
    for (const reply of await Promise.all(running)) expect(reply.text).toBe('slept')
    await expect.poll(() => world.invoker.activity(old).sandboxes, { timeout: 15_000 }).toEqual({ ...NONE, idle: 1 })
  },

  'a sandbox that is disposed of has ended': async (world: World) => {
    const sandbox = await world.driver.create((await world.shared()).spec, never())
    expect(await sandbox.responsive(5000)).toBe(true)
    await sandbox[Symbol.asyncDispose]()
    expect(await sandbox.ended).toEqual({ cause: 'disposed' })
    await sandbox[Symbol.asyncDispose]()
  },

  'a sandbox does not answer while its code spins, and can be disposed of': async (world: World) => {
    const version = await world.shared()
    await using sandbox = await world.driver.create(version.spec, never())
    expect(await sandbox.load(await world.codeOf(version), never())).toEqual({ loaded: true })
    const call = sandbox.invoke(invocationOf(version, '/loop'), new Recorder(), never())
    await expect.poll(() => sandbox.responsive(200), { timeout: 10_000 }).toBe(false)
    await sandbox[Symbol.asyncDispose]()
    expect((await call).kind).toBe('exited')
    expect(await sandbox.ended).toEqual({ cause: 'disposed' })
  },

  'a paused sandbox answers nothing, and goes on as it was when it is resumed': async (world: World) => {
    const version = await world.deploy()
    await using sandbox = await world.driver.create(version.spec, never())
    expect(await sandbox.load(await world.codeOf(version), never())).toEqual({ loaded: true })
    for (const times of ['1', '2', '3']) {
      await sandbox.pause?.()
      await sandbox.pause?.()
      expect(await sandbox.responsive(100)).toBe(false)
      await sandbox.resume?.()
      await sandbox.resume?.()
      expect(await sandbox.responsive(5000)).toBe(true)
      const recorder = new Recorder()
      expect(await sandbox.invoke(invocationOf(version, '/state'), recorder, never())).toMatchObject({ status: 200 })
      expect(Buffer.concat(recorder.chunks).toString()).toBe(times)
    }
  },

  'a paused sandbox can be disposed of': async (world: World) => {
    const sandbox = await world.driver.create((await world.shared()).spec, never())
    await sandbox.pause?.()
    await sandbox[Symbol.asyncDispose]()
    expect(await sandbox.ended).toEqual({ cause: 'disposed' })
  },

  'code and calls wake a paused sandbox, and a busy one is not paused': async (world: World) => {
    const version = await world.deploy()
    await using sandbox = guarded(await world.driver.create(version.spec, never()))
    expect(await sandbox.pause()).toBe(true)
    expect(await sandbox.load(await world.codeOf(version), 10_000, never())).toEqual({ loaded: true })
    const call = (target: string): Promise<Outcome> =>
      sandbox.invoke(invocationOf(version, target), new Recorder(), never(), () => undefined)
    expect(await sandbox.pause()).toBe(true)
    expect(sandbox.rest).toBe('paused')
    expect(await call('/hello')).toEqual({ kind: 'responded', status: 200 })
    expect(sandbox.rest).toBe('awake')
    const busy = call('/sleep?ms=100')
    expect(await sandbox.pause()).toBe(false)
    expect(await busy).toEqual({ kind: 'responded', status: 200 })
    // A call in the middle of it, and at once again.
    const pausing = sandbox.pause()
    expect(await call('/hello')).toEqual({ kind: 'responded', status: 200 })
    expect(await pausing).toBe(false)
    const hibernation = await sandbox.hibernate()
    expect(hibernation.hibernated ? '' : hibernation.reason).not.toMatch(/cannot be paused|not idle/)
    expect(await call('/hello')).toEqual({ kind: 'responded', status: 200 })
  },

  'an idle function sleeps, then deeper, and its next calls are answered as before': async (world: World) => {
    const ladder = { pauseAfterMs: 50, hibernateAfterMs: 400 }
    await using resting = await World.open(world.driver, world.fixture, ladder)
    const version = await resting.deploy()
    const activity = (): FunctionActivity => resting.invoker.activity(version)
    expect((await resting.call(version, '/state')).text).toBe('1')
    await expect.poll(() => activity().sandboxes.paused, { interval: 5 }).toBe(1)
    const second = await resting.call(version, '/state')
    expect([second.text, second.start?.kind]).toEqual(['2', 'warm'])
    const deepest = (): boolean => activity().sandboxes.hibernated === 1 || activity().notHibernated !== undefined
    await expect.poll(deepest, { timeout: 10_000 }).toBe(true)
    const third = await resting.call(version, '/state')
    expect([third.text, third.start?.kind]).toEqual(['3', 'warm'])
    const { paused, hibernated } = activity().wakes
    expect((paused?.count ?? 0) + (hibernated?.count ?? 0)).toBe(2)
  },

  'a create that is aborted leaves nothing behind': async (world: World) => {
    const { spec } = await world.shared()
    await expect(world.driver.create(spec, AbortSignal.abort(new Error('changed my mind')))).rejects.toThrow()
    const late = new AbortController()
    const creating = world.driver.create(spec, late.signal)
    late.abort(new Error('changed my mind'))
    await creating.then(
      (sandbox) => sandbox[Symbol.asyncDispose](),
      () => undefined,
    )
  },
} satisfies Record<string, (world: World) => Promise<void>>

function invocationOf(version: FunctionVersion, target: string): Invocation {
  const request = { method: 'GET', target, origin: 'http://contract.test', headers: [], body: new Uint8Array() }
  return { id: newInvocationId(), version, trigger: 'http', request, attempt: 1, acceptedAt: Date.now() }
}

function guarded(sandbox: Sandbox): GuardedSandbox {
  const limits = { maxConcurrency: 1, memoryMiB: 256, stopGraceMs: 1000, probeMs: 500 }
  return new GuardedSandbox(sandbox, { clock: systemClock, ...limits })
}
