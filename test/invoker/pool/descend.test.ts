import { describe, expect, test } from 'vitest'

import { descend, NO_LADDER, type Restable } from '#invoker/pool/descend'
import type { SandboxState } from '#invoker/pool/sandbox-state'

interface Named extends Restable {
  readonly name: string
}

const LADDER = { pauseAfterMs: 5000, hibernateAfterMs: 60_000 }
const NOBODY_STAYS = { awake: 0, light: 0 }

function sandbox(name: string, state: SandboxState, given: Partial<Restable> = {}): Named {
  return { name, state, deepest: 'hibernated', restsFrom: -Infinity, ...given }
}
const rest = (kind: 'idle' | 'paused', since: number): SandboxState => ({ kind, since, slots: 1, clock: 0 })
const asleep = (since: number): SandboxState => ({ kind: 'hibernated', since, slots: 1, clock: 0, residentMiB: 3 })
const busy: SandboxState = { kind: 'busy', inFlight: 1, slots: 1, accepting: true }

describe('descend()', () => {
  test.each([
    ['nothing that was just used', sandbox('a', rest('idle', 0)), 4999, [[], [], 5000]],
    ['what is idle for long enough: paused', sandbox('a', rest('idle', 0)), 5000, [['a'], [], 60_000]],
    ['what is paused for long enough: hibernated', sandbox('a', rest('paused', 0)), 60_000, [[], ['a'], Infinity]],
    ['what is due for both: the lower rung at once', sandbox('a', rest('idle', 0)), 60_000, [[], ['a'], Infinity]],
    ['nothing more when it is hibernated', sandbox('a', asleep(0)), 900_000, [[], [], Infinity]],
    ['nothing with calls', sandbox('a', busy), 900_000, [[], [], Infinity]],
    ['nothing that is being woken', sandbox('a', { kind: 'waking', since: 0, slots: 1 }), 900_000, [[], [], Infinity]],
    ['nothing whose driver cannot', sandbox('a', rest('idle', 0), { deepest: 'awake' }), 900_000, [[], [], Infinity]],
    [
      'no further than the driver can',
      sandbox('a', rest('idle', 0), { deepest: 'paused' }),
      900_000,
      [['a'], [], Infinity],
    ],
    [
      'nothing before it is to be tried again',
      sandbox('a', rest('idle', 0), { restsFrom: 70_000 }),
      69_999,
      [[], [], 70_000],
    ],
    [
      'what could not be done lately',
      sandbox('a', rest('paused', 0), { restsFrom: 70_000 }),
      70_000,
      [[], ['a'], Infinity],
    ],
  ] as const)('lets sleep %s', (_, own, now, [pause, hibernate, nextAt]) => {
    const descent = descend([own], { ...LADDER, ...NOBODY_STAYS }, now)
    expect([names(descent.pause), names(descent.hibernate), descent.nextAt]).toEqual([pause, hibernate, nextAt])
  })

  test.each([
    ['all without anybody to stay', [], NOBODY_STAYS, [[], ['d', 'c', 'b', 'a']]],
    ['but the ones for an objective, used last', [], { awake: 1, light: 2 }, [['c'], ['b', 'a']]],
    [
      'but the minimum, which is only paused',
      [],
      { awake: 0, light: 2 },
      [
        ['d', 'c'],
        ['b', 'a'],
      ],
    ],
    [
      'with busy ones counted among those that stay',
      [sandbox('e', busy)],
      { awake: 1, light: 2 },
      [['d'], ['c', 'b', 'a']],
    ],
  ] as const)('lets sleep %s', (_, more, stay, expected) => {
    const own = ['a', 'b', 'c', 'd'].map((name, index) => sandbox(name, rest('idle', index)))
    const { pause, hibernate } = descend([...own, ...more], { ...LADDER, ...stay }, 90_000)
    expect([names(pause), names(hibernate)]).toEqual(expected)
  })

  test('hibernates without pausing where pausing is off, and does nothing where both are', () => {
    const own = [sandbox('a', rest('idle', 0))]
    const hibernating = { ...LADDER, pauseAfterMs: Infinity, ...NOBODY_STAYS }
    expect(descend(own, hibernating, 59_999)).toEqual({ pause: [], hibernate: [], nextAt: 60_000 })
    expect(names(descend(own, hibernating, 60_000).hibernate)).toEqual(['a'])
    expect(descend(own, { ...NO_LADDER, ...NOBODY_STAYS }, 1e9)).toEqual({ pause: [], hibernate: [], nextAt: Infinity })
  })
})

function names(of: readonly Named[]): string[] {
  return of.map(({ name }) => name)
}
