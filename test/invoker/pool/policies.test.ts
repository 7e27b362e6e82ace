import { describe, expect, test } from 'vitest'

import { victims, worth } from '#invoker/pool/evict'
import { expire } from '#invoker/pool/expire'
import { place, placeAhead } from '#invoker/pool/place'
import type { SandboxState } from '#invoker/pool/sandbox-state'

interface Named {
  readonly name: string
  readonly state: SandboxState
}

const idle = (name: string, since: number): Named => ({ name, state: { kind: 'idle', since, slots: 2, clock: 0 } })
const busy = (name: string, inFlight: number, accepting = true): Named => ({
  name,
  state: { kind: 'busy', inFlight, slots: 2, accepting },
})
const paused = (name: string, since: number): Named => ({
  name,
  state: { kind: 'paused', since, slots: 2, clock: 0 },
})
const hibernated = (name: string, since: number): Named => ({
  name,
  state: { kind: 'hibernated', since, slots: 2, clock: 0, residentMiB: 4 },
})
const waking = (name: string): Named => ({ name, state: { kind: 'waking', since: 0, slots: 2 } })
const starting = (name: string): Named => ({ name, state: { kind: 'starting', since: 0, slots: 2 } })
const draining = (name: string): Named => ({ name, state: { kind: 'draining' } })
const generic = (name: string): Named => ({ name, state: { kind: 'generic', since: 0 } })

describe('place()', () => {
  const demand = { memoryMiB: 100, maxSandboxes: 3, worth: { paused: true, hibernated: true, start: true } }
  const evictable = (sandbox: Named, frequency: number) => ({
    sandbox,
    clock: 0,
    frequency,
    costMs: 100,
    memoryMiB: 100,
  })
  const view = {
    own: [] as Named[],
    generic: [] as Named[],
    freeMiB: 1000,
    evictable: () => [] as ReturnType<typeof evictable>[],
  }

  test.each([
    ['reuses the idle sandbox that was used last', { own: [idle('a', 1), idle('b', 5), idle('c', 3)] }, ['reuse', 'b']],
    ['prefers an idle sandbox to a busy one', { own: [busy('a', 1), idle('b', 0)] }, ['reuse', 'b']],
    ['joins the sandbox with the fewest calls', { own: [busy('a', 2), busy('b', 1)] }, ['join', 'b']],
    ['creates when all sandboxes are full', { own: [busy('a', 2)] }, ['create', []]],
    ['joins no sandbox with a call that has yet to stop', { own: [busy('a', 1, false)] }, ['create', []]],
    ['joins no draining sandbox', { own: [draining('a')] }, ['create', []]],
    ['specializes a generic sandbox before it creates one', { generic: [generic('g')] }, ['specialize', 'g']],
    [
      'specializes one that is ready before one that is being made',
      { generic: [starting('s'), generic('g')] },
      ['specialize', 'g'],
    ],
    ['specializes one that is being made before it creates one', { generic: [starting('s')] }, ['specialize', 's']],
    [
      'waits at the cap, starting ones included',
      { own: [busy('a', 2), starting('b'), starting('c')] },
      ['wait', 'slot'],
    ],
    [
      'does not count draining ones towards the cap',
      { own: [busy('a', 2), busy('b', 2), draining('c')] },
      ['create', []],
    ],
    ['prefers a busy one with room to one that sleeps', { own: [busy('a', 1), paused('b', 9)] }, ['join', 'a']],
    ['wakes a paused one before a hibernated one', { own: [hibernated('a', 9), paused('b', 1)] }, ['wake', 'b']],
    ['wakes the one that was used last', { own: [paused('a', 1), paused('b', 5), paused('c', 3)] }, ['wake', 'b']],
    [
      'wakes a hibernated one before it specializes',
      { own: [hibernated('a', 1)], generic: [generic('g')] },
      ['wake', 'a'],
    ],
    ['wakes at the cap', { own: [busy('a', 2), busy('b', 2), hibernated('c', 1)] }, ['wake', 'c']],
    ['does not wait for one that is being woken', { own: [waking('a')] }, ['create', []]],
    ['wakes a paused one without free memory', { own: [paused('a', 1)], freeMiB: 0 }, ['wake', 'a']],
    ['wakes a hibernated one when what it lacks is free', { own: [hibernated('a', 1)], freeMiB: 96 }, ['wake', 'a']],
    [
      'waits for memory to wake a hibernated one, at the cap too',
      { own: [hibernated('a', 1), busy('b', 2), busy('c', 2)], freeMiB: 95 },
      ['wait', 'memory'],
    ],
    [
      'specializes when there is no memory to wake a hibernated one',
      { own: [hibernated('a', 1)], freeMiB: 95, generic: [generic('g')] },
      ['specialize', 'g'],
    ],
    ['waits for memory when nothing can be evicted', { freeMiB: 99 }, ['wait', 'memory']],
    [
      'evicts what is worth least when memory is short',
      { freeMiB: 0, evictable: () => [evictable(idle('often', 0), 9), evictable(idle('rare', 0), 1)] },
      ['create', ['rare']],
    ],
    [
      'evicts nothing when that would not be enough',
      { freeMiB: -50, evictable: () => [evictable(idle('a', 0), 1)] },
      ['wait', 'memory'],
    ],
  ])('%s', (_, given, [kind, what]) => {
    const placement = place(demand, { ...view, ...given })
    const told =
      'sandbox' in placement
        ? placement.sandbox.name
        : placement.kind === 'create'
          ? placement.evict.map(({ name }) => name)
          : placement.for
    expect([placement.kind, told]).toEqual([kind, what])
  })

  test('evicts others to wake a hibernated one, but not itself', () => {
    const own = [hibernated('a', 1)]
    const others = [evictable(own[0]!, 0), evictable(idle('rare', 0), 1), evictable(idle('often', 0), 9)]
    expect(place(demand, { ...view, own, freeMiB: 0, evictable: () => others })).toEqual({
      kind: 'wake',
      sandbox: own[0],
      evict: [others[1]?.sandbox],
    })
  })

  test.each([
    ['none', { paused: false, hibernated: false, start: true }, 'create'],
    ['a paused one only', { paused: true, hibernated: false, start: false }, 'wait'],
    ['a hibernated one', { paused: false, hibernated: true, start: false }, 'wake'],
  ] as const)('wakes what the backlog is worth: %s', (_, worthwhile, kind) => {
    expect(place({ ...demand, worth: worthwhile }, { ...view, own: [hibernated('a', 1)] }).kind).toBe(kind)
  })

  test('waits when the backlog is not worth a start', () => {
    expect(place({ ...demand, worth: { paused: false, hibernated: false, start: false } }, view)).toEqual({
      kind: 'wait',
      for: 'slot',
    })
  })
})

describe('placeAhead()', () => {
  const cells = [generic('g'), generic('h')]

  test.each([
    ['takes a generic one', { own: [], stock: cells, freeMiB: 1000 }, ['specialize', 'g']],
    [
      'takes the last one for a version that has none',
      { own: [], stock: [generic('g')], freeMiB: 1000 },
      ['specialize', 'g'],
    ],
    [
      'leaves the last one to calls otherwise',
      { own: [idle('a', 0)], stock: [generic('g')], freeMiB: 1000 },
      ['create', undefined],
    ],
    [
      'takes one of several for a second sandbox',
      { own: [idle('a', 0)], stock: cells, freeMiB: 1000 },
      ['specialize', 'g'],
    ],
    ['needs no memory for a generic one', { own: [], stock: cells, freeMiB: 0 }, ['specialize', 'g']],
    [
      'does not take one that is still being made',
      { own: [], stock: [starting('s')], freeMiB: 1000 },
      ['create', undefined],
    ],
  ] as const)('%s', (_, { own, stock, freeMiB }, expected) => {
    const ahead = placeAhead<Named>({ memoryMiB: 100 }, { own, generic: stock, freeMiB })
    expect([ahead?.kind, ahead?.kind === 'specialize' ? ahead.sandbox.name : undefined]).toEqual(expected)
  })

  test('gives up nothing of others', () => {
    expect(placeAhead<Named>({ memoryMiB: 100 }, { own: [], generic: [], freeMiB: 99 })).toBeUndefined()
  })
})

describe('victims()', () => {
  test('gives up what is rare, cheap to make and large first', () => {
    const candidates = [
      candidate('frequent', { frequency: 10 }),
      candidate('dear', { costMs: 1000 }),
      candidate('large', { memoryMiB: 400 }),
      candidate('recent', { clock: 50 }),
    ]
    expect(victims(candidates, 1)).toEqual(['large'])
    expect(victims(candidates, 401)).toEqual(['large', 'frequent'])
    expect(victims(candidates, 701)).toBeUndefined()
  })

  test('spares what a larger one makes unnecessary, the most worth first', () => {
    const candidates = [
      candidate('small', { memoryMiB: 2, frequency: 0 }),
      candidate('middle', { memoryMiB: 60, frequency: 0, clock: 1 }),
      candidate('large', { memoryMiB: 256, frequency: 0, clock: 2 }),
    ]
    expect(victims(candidates, 2)).toEqual(['small'])
    expect(victims(candidates, 100)).toEqual(['large'])
    expect(victims(candidates, 257)).toEqual(['small', 'large'])
    expect(victims(candidates, 300)).toEqual(['middle', 'large'])
    expect(victims(candidates, 318)).toEqual(['small', 'middle', 'large'])
    expect(victims(candidates, 319)).toBeUndefined()
  })

  test('worth is clock + frequency × cost ÷ size', () => {
    expect(worth(candidate('a', { clock: 5, frequency: 3, costMs: 200, memoryMiB: 64 }))).toBe(5 + (3 * 200) / 64)
  })
})

describe('expire()', () => {
  const own = [idle('a', 0), idle('b', 30), idle('c', 60), busy('d', 1)]
  const names = (now: number, minSandboxes: number) => {
    const { expired, nextAt } = expire(own, { kept: 0, keptUntil: Infinity, spareMs: 100, minSandboxes }, now)
    return [expired.map(({ name }) => name), nextAt]
  }

  test.each([
    ['nothing before its time', 99, 0, [], 100],
    ['what has been idle for as long as it may', 130, 0, ['a', 'b'], 160],
    ['all of them in the end', 500, 0, ['a', 'b', 'c'], Infinity],
    ['none of the minimum', 500, 2, ['a', 'b'], Infinity],
    ['nothing when there are no more than the minimum', 500, 4, [], Infinity],
  ])('expires %s', (_, now, minSandboxes, ...expected) => {
    expect(names(now, minSandboxes)).toEqual(expected)
  })

  test.each([
    ['what was used last, until its time, and the others by theirs', [1, 300], 200, ['a', 'b', 'c'], 300],
    ['nothing after its time', [1, 300], 300, ['a', 'b', 'c', 'd'], Infinity],
    ['as many as wanted', [3, 300], 250, ['a'], 300],
    ['the others no longer than what was used last', [1, 50], 50, ['a', 'b', 'c', 'd'], Infinity],
  ] as const)('keeps %s', (_, [kept, keptUntil], now, ...expected) => {
    const all = [idle('a', 0), idle('b', 30), idle('c', 60), idle('d', 90)]
    const { expired, nextAt } = expire(all, { kept, keptUntil, spareMs: 100, minSandboxes: 0 }, now)
    expect([expired.map(({ name }) => name), nextAt]).toEqual(expected)
  })
})

function candidate(sandbox: string, facts: object) {
  return { sandbox, clock: 0, frequency: 1, costMs: 100, memoryMiB: 100, ...facts }
}
