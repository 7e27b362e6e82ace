import { describe, expect, it } from 'vitest'

import type { App } from '#bench/trace/generate'
import { loadedAt, loadedWithin, replay, replayUnit } from '#bench/trace/replay'
import { fixed } from '#invoker/pool/keep-alive/fixed'
import { ended, NO_HISTORY } from '#invoker/pool/keep-alive/idle-history'
import type { KeepAlivePolicy } from '#invoker/pool/keep-alive/policy'

const expecting: KeepAlivePolicy = () => ({ keepAliveMs: 60, prewarm: undefined, basis: 'histogram' })
const decision = { keepAliveMs: 10, prewarm: { afterMs: 100, keepMs: 50 }, basis: 'forecast' } as const

describe('loadedAt() and loadedWithin()', () => {
  it.each([
    { idleMs: 10, loaded: true, within: 10 },
    { idleMs: 11, loaded: false, within: 10 },
    { idleMs: 99, loaded: false, within: 10 },
    { idleMs: 100, loaded: true, within: 10 },
    { idleMs: 130, loaded: true, within: 10 + 30 },
    { idleMs: 150, loaded: true, within: 10 + 50 },
    { idleMs: 900, loaded: false, within: 10 + 50 },
  ])('follow both windows of a decision for $idleMs ms', ({ idleMs, loaded, within }) => {
    expect(loadedAt(decision, idleMs)).toBe(loaded)
    expect(loadedWithin(decision, idleMs)).toBe(within)
  })
})

describe('replay()', () => {
  it('counts the first call and those outside the window as cold, and idle loaded time as waste', () => {
    // Ends at 10, 30, 95 and 210; idle times 10, 55 and 105.
    const app = appOf([{ starts: [0, 20, 85, 200], durationMs: 10 }], 1_000)
    expect(replay(app, fixed(60))).toEqual({ calls: 4, cold: 1 + 1, idleMs: 10 + 55 + 60 + 60 })
  })

  it('stops counting waste at the end of the trace', () => {
    expect(replay(appOf([{ starts: [0], durationMs: 10 }], 40), fixed(60)).idleMs).toBe(40 - 10)
  })

  it('takes calls that overlap as warm, and their time as busy', () => {
    const app = appOf([{ starts: [0, 5, 30], durationMs: 20 }], 60)
    // Busy in [0, 25] and [30, 50].
    expect(replay(app, fixed(1_000))).toEqual({ calls: 3, cold: 1, idleMs: 5 + 10 })
  })

  it('keeps every function of an app warm on its own', () => {
    const units = [
      { starts: [0, 100], durationMs: 10 },
      { starts: [50, 150], durationMs: 10 },
    ]
    expect(replay(appOf(units, 160), fixed(30))).toEqual({ calls: 4, cold: 4, idleMs: 30 + 30 + 30 })
  })

  it('counts idle time, but no calls, for the part of the trace that is not replayed', () => {
    const app = { ...appOf([{ starts: [0, 20], durationMs: 10 }], 40), scale: 3 }
    expect(replay(app, fixed(100))).toEqual({ calls: 2, cold: 1, idleMs: 3 * (10 + 10) })
  })

  it('tells the policy the idle times as they are known when a call ends', () => {
    const totals: number[] = []
    const watching: KeepAlivePolicy = (history) => {
      totals.push(history.total)
      return { keepAliveMs: 0, prewarm: undefined, basis: 'fixed' }
    }
    replay(appOf([{ starts: [0, 20, 85], durationMs: 10 }], 1_000), watching)
    expect(totals).toEqual([0, 1, 2])
  })
})

describe('replayUnit() after a restart', () => {
  const history = ended(NO_HISTORY, 900)
  const begin = { history, atMs: 1_000 }
  const unit = { starts: [1_050, 1_100], durationMs: 10 }

  it('finds loaded what is expected', () => {
    expect(replayUnit(unit, 1_200, expecting, begin)).toEqual({ calls: 2, cold: 0, idleMs: 50 + 40 + 60 })
  })

  it('finds nothing of what would only have stayed', () => {
    expect(replayUnit(unit, 1_200, fixed(60), begin)).toEqual({ calls: 2, cold: 1, idleMs: 40 + 60 })
  })
})

function appOf(units: App['units'], spanMs: number): App {
  return { kind: 'timer', callsPerDay: 1, memoryMB: 1, units, spanMs, scale: 1 }
}
