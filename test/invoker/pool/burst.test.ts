import { describe, expect, test } from 'vitest'

import { type Backlog, worthOf, worthStarting } from '#invoker/pool/burst'

describe('worthOf()', () => {
  const backlog = {
    waiting: 4,
    warmSlots: 0,
    startingSlots: 0,
    wakingSlots: 0,
    slots: 1,
    serviceMs: 1,
    startMs: 150,
    starts: 0,
    processors: 2,
    busyForMs: 0,
    withinMs: undefined,
    wakeMs: { paused: 1, hibernated: 30 },
  }

  test.each([
    ['anything when nothing is there', {}, [true, true, true]],
    ['nothing when nobody waits', { waiting: 0 }, [false, false, false]],
    ['no start while one that serves all is woken', { wakingSlots: 1 }, [true, false, false]],
    ['a wake although one is starting, which takes longer', { startingSlots: 4 }, [true, true, false]],
    ['no more wakes than calls', { wakingSlots: 4 }, [false, false, false]],
    [
      'a paused one only when a busy one is free before a hibernated one is awake',
      { warmSlots: 1 },
      [true, false, false],
    ],
    ['nothing that a busy one serves before', { warmSlots: 1, serviceMs: 0.1 }, [false, false, false]],
    ['all for long calls', { warmSlots: 1, serviceMs: 1000 }, [true, true, true]],
  ] as const)('is worth %s', (_, given, expected) => {
    const { paused: wakePaused, hibernated: wakeHibernated, start } = worthOf({ ...backlog, ...given })
    expect([wakePaused, wakeHibernated, start]).toEqual(expected)
  })
})

describe('worthStarting()', () => {
  const backlog: Backlog = {
    waiting: 32,
    warmSlots: 0,
    startingSlots: 0,
    slots: 1,
    serviceMs: 1,
    startMs: 150,
    starts: 0,
    processors: 2,
    busyForMs: 0,
    withinMs: undefined,
  }
  const long = { serviceMs: 1000 }
  const lane = { waiting: 1, slots: 16, warmSlots: 16, serviceMs: 50 }

  // Those of 1, 10 and 50 ms and of 1 s are the worked example of docs/scaling.md.
  test.each([
    ['nothing when nobody waits', { waiting: 0 }, 0],
    ['one sandbox for 32 calls of 1 ms', {}, 1],
    ['one even for calls that take no time', { serviceMs: 0 }, 1],
    ['few for calls of 50 ms', { serviceMs: 50 }, 3],
    ['as many as are up before a call is over, when calls are long', long, 13],
    ['one per call on many processors', { ...long, processors: 32 }, 32],
    ['one per call when calls are very long', { serviceMs: 10_000 }, 32],
    ['fewer when each has several slots', { ...long, slots: 8 }, 4],
    ['nothing while enough are starting', { ...long, startingSlots: 32, starts: 1 }, 0],
    ['only what those that are starting leave', { ...long, startingSlots: 30, starts: 1 }, 2],
    [
      'nothing that would take longer than the line, since many others start',
      { serviceMs: 50, warmSlots: 1, starts: 25 },
      0,
    ],
    ['one although many others start, when none is there', { starts: 50 }, 1],
    ['nothing when the warm ones serve it meanwhile', { warmSlots: 4, serviceMs: 10 }, 0],
    ['nothing for the little that the warm ones leave', { warmSlots: 4, serviceMs: 25 }, 0],
    ['one when nothing is known of the calls', { serviceMs: undefined }, 1],
    ['no second one while nothing is known of the calls', { serviceMs: undefined, startingSlots: 1 }, 0],
    ['one more when one call after the other waits, of a lane', { ...lane, busyForMs: 300 }, 1],
    ['none so early', { ...lane, busyForMs: 299 }, 0],
    ['the third later than the second', { ...lane, warmSlots: 32, busyForMs: 599 }, 0],
    ['and when its time has come', { ...lane, warmSlots: 32, busyForMs: 600 }, 1],
    ['one on another processor for calls that compute', { ...lane, serviceMs: 1, busyForMs: 300 }, 1],
    ['no more than processors for calls that compute', { ...lane, serviceMs: 1, warmSlots: 32, busyForMs: 9000 }, 0],
    ['more when an objective leaves less time', { serviceMs: 50, withinMs: 100 }, 16],
  ])('starts %s', (_, given, expected) => {
    const from = { ...backlog, ...given }
    let count = 0
    const started = (): Backlog => ({
      ...from,
      startingSlots: from.startingSlots + count * from.slots,
      starts: from.starts + count,
    })
    while (count < 100 && worthStarting(started())) count++
    expect(count).toBe(expected)
  })
})
