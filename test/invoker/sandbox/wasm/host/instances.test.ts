import { describe, expect, it, vi } from 'vitest'

import type { InstancePolicy } from '#core/function'
import type { Guest, GuestInstance } from '#invoker/sandbox/wasm/host/guest'
import { Instances } from '#invoker/sandbox/wasm/host/instances'
import { ManualClock } from '#test/invoker/manual-clock'

interface Made extends GuestInstance {
  readonly number: number
  recycled: number
  abandoned: boolean
}

/** A guest whose instances say what was done with them. */
function guest({ fit = true } = {}): { made: Made[]; guest: Guest } {
  const made: Made[] = []
  const instantiate = async (): Promise<GuestInstance> => {
    const instance: Made = {
      number: made.length,
      recycled: 0,
      abandoned: false,
      run: async () => {},
      recycle() {
        instance.recycled++
        return fit
      },
      abandon() {
        instance.abandoned = true
      },
    }
    made.push(instance)
    return instance
  }
  return { made, guest: { instantiate } }
}

const numberOf = (instance: GuestInstance): number => (instance as Made).number

function instancesOf(some: Guest, policy: InstancePolicy, clock: ManualClock = new ManualClock()): Instances {
  return new Instances({ guest: some, policy, clock, flush() {} })
}

/** Resolves when the call is over. */
function running(instances: Instances, use: (one: GuestInstance) => Promise<void>): Promise<void> {
  return new Promise((done, failed) => {
    instances.run(async (one) => {
      await use(one)
      done()
    }, failed)
  })
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve))
  })
}

describe('Instances.run()', () => {
  it('gives calls that only compute one and the same instance, one after the other', async () => {
    const { made, guest: some } = guest()
    const instances = instancesOf(some, 'reset')
    await instances.start()
    const used: number[] = []
    await Promise.all(Array.from({ length: 5 }, () => running(instances, async (one) => void used.push(numberOf(one)))))
    await turn()
    expect(used).toEqual([0, 0, 0, 0, 0])
    expect(made[0]?.recycled).toBe(5)
  })

  it('gives calls that wait an instance each', async () => {
    const { guest: some } = guest()
    const instances = instancesOf(some, 'warm')
    await instances.start()
    const used = new Set<number>()
    const gate = Promise.withResolvers<void>()
    const wait = async (one: GuestInstance): Promise<void> => {
      used.add(numberOf(one))
      await gate.promise
    }
    const calls = Array.from({ length: 16 }, () => running(instances, wait))
    await vi.waitFor(() => expect(used.size).toBe(16))
    await expect(running(instances, wait)).rejects.toThrow('at most 16 calls')
    gate.resolve()
    await Promise.all(calls)
  })

  it('runs calls that wait for nothing at once, and sends what they answered before the last is restored', async () => {
    const said: string[] = []
    const instance: GuestInstance = {
      run() {
        said.push('run')
        return undefined
      },
      recycle() {
        said.push('recycle')
        return true
      },
      abandon() {},
    }
    const flush = (): void => void said.push('flush')
    const instances = new Instances({
      guest: { instantiate: () => instance },
      policy: 'reset',
      clock: new ManualClock(),
      flush,
    })
    await instances.start()
    instances.run(
      (one) => one.run(undefined as never),
      () => {},
    )
    expect(said).toEqual(['run', 'flush', 'recycle'])
  })

  it('throws an instance away after each call under fresh, and makes the next ahead', async () => {
    const { made, guest: some } = guest()
    const instances = instancesOf(some, 'fresh')
    await instances.start()
    await running(instances, async () => {})
    await turn()
    expect(made.map(({ recycled, abandoned }) => [recycled, abandoned])).toEqual([
      [0, true],
      [0, false],
    ])
  })

  it('throws away what is not fit for the next call', async () => {
    const { made, guest: some } = guest({ fit: false })
    const instances = instancesOf(some, 'reset')
    await instances.start()
    const used: number[] = []
    for (let call = 0; call < 3; call++) await running(instances, async (one) => void used.push(numberOf(one)))
    await turn()
    expect(new Set(used).size).toBe(3)
    for (const number of used) expect(made[number]?.abandoned).toBe(true)
  })

  it('lets go of an instance that fails its call', async () => {
    const { guest: some } = guest()
    const instances = instancesOf(some, 'reset')
    await instances.start()
    await expect(running(instances, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    await running(instances, async () => {})
  })

  it('gives back the instances of a burst when nobody needed them for a while', async () => {
    const clock = new ManualClock()
    const { made, guest: some } = guest()
    const instances = instancesOf(some, 'warm', clock)
    await instances.start()
    const gate = Promise.withResolvers<void>()
    const burst = Array.from({ length: 6 }, () => running(instances, () => gate.promise))
    await vi.waitFor(() => expect(made.length).toBe(6))
    gate.resolve()
    await Promise.all(burst)
    await turn()
    const left = (): number => made.filter(({ abandoned }) => !abandoned).length
    expect(left()).toBe(6)
    await clock.pass(10_000)
    expect(left()).toBe(6)
    await clock.pass(10_000)
    expect(left()).toBe(1)
  })
})
