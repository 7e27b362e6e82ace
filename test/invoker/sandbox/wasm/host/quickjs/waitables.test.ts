import { describe, expect, it, vi } from 'vitest'

import { type Deliver, Waitables } from '#invoker/sandbox/wasm/host/quickjs/waitables'

const BLOCKED = -1
const COMPLETED = 0
const CANCELLED = 2

interface Future {
  readonly handle: number
  /** Its value comes. */
  settle(): void
}

function waiting(): { waitables: Waitables; ready: number[]; written: number[]; future: () => Future } {
  const ready: number[] = []
  const written: number[] = []
  const waitables = new Waitables((set) => ready.push(set))
  const future = (): Future => {
    let give: ((deliver: Deliver) => void) | undefined
    const handle = waitables.future((settle) => {
      give = settle
      return undefined
    })
    return { handle, settle: () => give?.((at) => written.push(at)) }
  }
  return { waitables, ready, written, future }
}

describe('Waitables', () => {
  it('gives a value that has come at once, and one that comes later by its set', () => {
    const { waitables, ready, written, future } = waiting()
    const early = future()
    early.settle()
    expect(waitables.read(early.handle, 64)).toBe(COMPLETED)
    const late = future()
    expect(waitables.read(late.handle, 128)).toBe(BLOCKED)
    const set = waitables.newSet()
    waitables.join(late.handle, set)
    expect([waitables.take(set), ready]).toEqual([0, []])
    late.settle()
    expect(ready).toEqual([set])
    expect(waitables.take(set)).toBe(late.handle)
    expect(written).toEqual([64, 128])
  })

  it('is at rest when nothing is read and no set is there', () => {
    const { waitables, future } = waiting()
    const { handle } = future()
    expect(waitables.atRest).toBe(true)
    waitables.read(handle, 0)
    expect(waitables.atRest).toBe(false)
    expect(waitables.cancelRead(handle)).toBe(CANCELLED)
    const set = waitables.newSet()
    expect(waitables.atRest).toBe(false)
    waitables.dropSet(set)
    expect(waitables.atRest).toBe(true)
  })

  it('says when nothing can come any more', () => {
    const { waitables } = waiting()
    expect(waitables.take(waitables.newSet())).toBe(-1)
  })

  it('does not give what was cancelled after it had come', () => {
    const { waitables, future } = waiting()
    const [one, other] = [future(), future()]
    const set = waitables.newSet()
    for (const { handle } of [one, other]) {
      waitables.read(handle, 0)
      waitables.join(handle, set)
    }
    one.settle()
    waitables.cancelRead(one.handle)
    expect(waitables.take(set)).toBe(0)
    other.settle()
    expect(waitables.take(set)).toBe(other.handle)
  })

  it('ends the work of what is dropped or given up, once', () => {
    const waitables = new Waitables(() => {})
    const ended = vi.fn<() => void>()
    const start = (): Disposable => ({ [Symbol.dispose]: ended })
    waitables.drop(waitables.future(start))
    expect(ended).toHaveBeenCalledTimes(1)
    waitables.future(start)
    waitables.cancelAll()
    waitables.cancelAll()
    expect(ended).toHaveBeenCalledTimes(2)
  })

  it.each([
    ['a handle that it does not have', (waitables: Waitables) => waitables.read(99, 0)],
    ['a set that it does not have', (waitables: Waitables) => waitables.take(99)],
    ['a set that it has dropped', (waitables: Waitables) => waitables.dropSet(99)],
    ['the cancelling of what is not read', (waitables: Waitables) => waitables.cancelRead(1)],
    ['a handle of before it was restored', (waitables: Waitables) => (waitables.forget(), waitables.read(1, 0))],
  ])('traps the guest at %s', (_what, use) => {
    const { waitables, future } = waiting()
    future()
    expect(() => use(waitables)).toThrow(WebAssembly.RuntimeError)
  })
})
