// Pausing and waking behind the guard, when the driver fails at it. That it works is in the contract suite.
import { expect, test } from 'vitest'

import { systemClock } from '#core/clock'
import type { SandboxId } from '#core/ids'
import type { Sandbox, Termination } from '#invoker/sandbox/driver'
import { GuardedSandbox } from '#invoker/sandbox/guarded-sandbox'
import { Rest } from '#invoker/sandbox/rest'

/** A sandbox that has only what is given. */
function sandboxWith(parts: Partial<Sandbox>): Sandbox {
  const ended = Promise.withResolvers<Termination>()
  return {
    id: 'fake-rest' as SandboxId,
    ended: ended.promise,
    load: async () => ({ loaded: true }),
    invoke: async () => ({ kind: 'responded', status: 200 }),
    responsive: async () => true,
    [Symbol.asyncDispose]: async () => ended.resolve({ cause: 'disposed' }),
    ...parts,
  }
}

test('one whose driver cannot pause stays awake, and says so', async () => {
  const rest = new Rest(sandboxWith({}))
  expect(await rest.pause()).toBe(false)
  expect(rest.state).toBe('awake')
  expect(rest.wake()).toBeUndefined()
  expect(await rest.hibernate()).toEqual({ hibernated: false, reason: 'the sandbox cannot be paused now' })
})

test('one that could not be paused is awake', async () => {
  const rest = new Rest(
    sandboxWith({ pause: () => Promise.reject(new Error('it runs on')), resume: () => Promise.resolve() }),
  )
  expect(await rest.pause()).toBe(false)
  expect(rest.state).toBe('awake')
})

test('waking waits for the pause under way, and happens once for all who ask', async () => {
  const done: string[] = []
  const paused = Promise.withResolvers<void>()
  const rest = new Rest(
    sandboxWith({
      pause: () => paused.promise.then(() => void done.push('paused')),
      resume: async () => void done.push('resumed'),
    }),
  )
  const pausing = rest.pause()
  const wakes = [rest.wake(), rest.wake()]
  expect(await rest.pause()).toBe(false)
  paused.resolve()
  for (const wake of wakes) await wake
  expect(done).toEqual(['paused', 'resumed'])
  expect(await pausing).toBe(false)
  expect(rest.state).toBe('awake')
})

test('one that hibernates without success is still paused', async () => {
  const rest = new Rest(
    sandboxWith({
      pause: async () => {},
      resume: async () => {},
      hibernate: async () => ({ hibernated: false, reason: 'no swap' }),
    }),
  )
  expect(await rest.hibernate()).toEqual({ hibernated: false, reason: 'no swap' })
  expect(rest.state).toBe('paused')
})

test('one that cannot be woken is destroyed', async () => {
  const sandbox = sandboxWith({ pause: async () => {}, resume: () => Promise.reject(new Error('gone')) })
  const limits = { maxConcurrency: 1, memoryMiB: 64, stopGraceMs: 0, probeMs: 0 }
  const guarded = new GuardedSandbox(sandbox, { clock: systemClock, ...limits })
  expect(await guarded.pause()).toBe(true)
  expect(await guarded.wake(1000)).toBe(false)
  expect(await guarded.ended).toEqual({ cause: 'disposed' })
  expect(guarded.leaving).toBe(true)
})
