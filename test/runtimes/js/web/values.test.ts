import { describe, expect, it } from 'vitest'

import { AbortController, AbortSignal, lazySignal } from '#runtimes/js/web/events'
import { format, inspect } from '#runtimes/js/web/inspect'
import { structuredClone as ourClone } from '#runtimes/js/web/structured-clone'

describe('format()', () => {
  it('shows texts as they are, and values much as Node does', () => {
    const value = { a: 1, 'b-c': 'x', list: [1, 'two', null], map: new Map([['k', new Set([1])]]), none: undefined }
    expect(format(['hello', value])).toBe(
      [
        'hello {',
        '  a: 1,',
        "  'b-c': 'x',",
        "  list: [ 1, 'two', null ],",
        "  map: Map(1) { 'k' => Set(1) { 1 } },",
        '  none: undefined',
        '}',
      ].join('\n'),
    )
    expect(format(['%s is %d%% of %j', 'half', 50, { a: 1 }, 'more'])).toBe('half is 50% of {"a":1} more')
    expect(format([1n, -0, Symbol('s'), () => {}, new Uint8Array(2)])).toBe(
      '1n -0 Symbol(s) [function] Uint8Array(2) [ 0, 0 ]',
    )
  })

  it('shows errors with their stack and cause, cycles, and what throws when it is looked at', () => {
    const error = new TypeError('outer', { cause: 'inner' })
    expect(inspect(error)).toMatch(/^TypeError: outer\n[\s\S]*\[cause\]: 'inner'$/)
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    expect(inspect(cycle)).toBe('{ self: [Circular] }')
    const hostile = {
      get a(): string {
        throw new Error('no')
      },
    }
    expect(inspect(hostile)).toBe('[cannot be shown: Error: no]')
  })
})

describe('structuredClone()', () => {
  it('copies data with its cycles and shared buffers', () => {
    const shared = new ArrayBuffer(4)
    const value: Record<string, unknown> = {
      date: new Date(5),
      map: new Map([[{ k: 1 }, new Set(['x'])]]),
      views: [new Uint8Array(shared, 1, 2), new DataView(shared)],
      error: new RangeError('r', { cause: [1] }),
      regexp: /a/gi,
      deep: [[{ a: null }], 'x'],
    }
    value.self = value
    const copy = ourClone(value)
    expect(copy.self).toBe(copy)
    const { self: _ours, error: copied, ...rest } = copy
    const { self: _theirs, error: _error, ...expected } = structuredClone(value)
    expect(rest).toEqual(expected)
    expect(copied).toMatchObject({ name: 'RangeError', message: 'r', cause: [1] })
    const [first, second] = copy.views as [Uint8Array, DataView]
    expect(first.buffer).toBe(second.buffer)
    expect(first.buffer).not.toBe(shared)
  })

  it('refuses functions, symbols and promises', () => {
    for (const value of [() => {}, Symbol('x'), { deep: [Promise.resolve()] }]) {
      expect(() => ourClone(value)).toThrow(expect.objectContaining({ name: 'DataCloneError' }))
    }
  })
})

describe('AbortSignal', () => {
  it('aborts once, with its reason, for every listener', () => {
    const controller = new AbortController()
    const seen: unknown[] = []
    const { signal } = controller
    signal.addEventListener('abort', () => seen.push('listener'), { once: true })
    Object.assign(signal, { onabort: () => seen.push('property') })
    const any = AbortSignal.any([new AbortController().signal, signal])
    controller.abort('why')
    controller.abort('again')
    expect([seen.map(String).toSorted((a, b) => (a < b ? -1 : 1)), signal.reason, any.reason]).toEqual([
      ['listener', 'property'],
      'why',
      'why',
    ])
    expect(() => signal.throwIfAborted()).toThrow('why')
  })

  it('asks a lazy source when the first listener comes', () => {
    const aborts: ((reason: unknown) => void)[] = []
    const signal = lazySignal((abort) => void aborts.push(abort))
    expect([signal.aborted, aborts.length]).toEqual([false, 0])
    const seen: unknown[] = []
    signal.addEventListener('abort', () => seen.push(signal.reason))
    signal.addEventListener('abort', () => seen.push('second'))
    expect(aborts.length).toBe(1)
    aborts[0]?.('stop')
    expect(seen).toEqual(['stop', 'second'])
  })
})
