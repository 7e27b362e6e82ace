import { describe, expect, it } from 'vitest'

import { endOf, failureOf } from '#invoker/sandbox/wasm/host/thrown'
import { GuestExit } from '#invoker/sandbox/wasm/wasi/cli'

const small = { bytes: 1 << 20, limitMiB: 64 }
const full = { bytes: 60 << 20, limitMiB: 64 }

function end(thrown: unknown, memory = small): ReturnType<typeof endOf> {
  return endOf(thrown, failureOf(thrown), memory)
}

describe('failureOf()', () => {
  it('takes the failure of the world as it is, also from an Error that carries it', () => {
    const failure = { name: 'TypeError', message: 'no', stack: 'at user' }
    const expected = { type: 'TypeError', message: 'no', stack: 'at user' }
    expect(failureOf(failure)).toEqual(expected)
    expect(failureOf(Object.assign(new Error('wrapped'), { payload: failure }))).toEqual(expected)
  })

  it('keeps the stack of the host to itself', () => {
    expect(failureOf(new RangeError('deep'))).toEqual({ type: 'RangeError', message: 'deep' })
  })

  it('makes a failure of anything', () => {
    for (const thrown of [undefined, null, 'text', 7, {}]) expect(failureOf(thrown).type).toBe('Error')
  })
})

describe('endOf()', () => {
  it('is undefined for what the user throws', () => {
    expect(end({ name: 'TypeError', message: 'no' })).toBeUndefined()
    expect(end(new RangeError('Maximum call stack size exceeded'), full)).toBeUndefined()
  })

  it('names a trap', () => {
    expect(end(new WebAssembly.RuntimeError('wasm trap: integer divide by zero'))).toEqual({
      kind: 'exited',
      detail: 'trap: integer divide by zero',
    })
    expect(end(new WebAssembly.RuntimeError('wasm trap: wasm `unreachable` instruction executed'))).toEqual({
      kind: 'exited',
      detail: 'trap: unreachable',
    })
  })

  it('takes an abort with most of the memory in use for a lack of it, and no other trap', () => {
    expect(end(new WebAssembly.RuntimeError('unreachable'), full)).toEqual({ kind: 'out-of-memory' })
    expect(end(new WebAssembly.RuntimeError('unreachable'))).toMatchObject({ kind: 'exited' })
    expect(end(new WebAssembly.RuntimeError('divide by zero'), full)).toMatchObject({ kind: 'exited' })
  })

  it('knows how QuickJS says that there is no memory', () => {
    expect(end({ name: 'InternalError', message: 'out of memory' })).toEqual({ kind: 'out-of-memory' })
  })

  it('takes a null for a lack of memory when there is none left, else for what the user threw', () => {
    const thrown = { name: 'null', message: 'null', stack: '' }
    expect(end(thrown, full)).toEqual({ kind: 'out-of-memory' })
    expect(end(thrown)).toBeUndefined()
  })

  it('names an exit code', () => {
    expect(end(new GuestExit(7))).toEqual({ kind: 'exited', detail: 'exit code 7' })
  })
})
