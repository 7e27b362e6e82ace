// wasi:clocks
import { type Clock, systemClock } from '#core/clock'

import { Pollable } from './io.ts'
import type { Waits } from './waits.ts'

const NS_PER_MS = 1e6

export function clockImports(waits: Waits, clock: Clock = systemClock): Record<string, object> {
  const msUntil = (atMs: number): number => Math.max(0, Math.ceil(atMs - clock.monotonic()))
  const until = (atMs: number): Pollable =>
    new Pollable(
      () => clock.monotonic() >= atMs,
      () => waits.until(new Promise((resolve) => clock.after(msUntil(atMs), resolve))),
    )
  return {
    'wasi:clocks/monotonic-clock': {
      now: () => BigInt(Math.floor(clock.monotonic() * NS_PER_MS)),
      resolution: () => 1_000n,
      subscribeDuration: (ns: bigint) => until(clock.monotonic() + Number(ns) / NS_PER_MS),
      subscribeInstant: (ns: bigint) => until(Number(ns) / NS_PER_MS),
    },
    'wasi:clocks/wall-clock': {
      now() {
        const ms = clock.now()
        return { seconds: BigInt(Math.floor(ms / 1000)), nanoseconds: Math.floor((ms % 1000) * NS_PER_MS) }
      },
      resolution: () => ({ seconds: 0n, nanoseconds: NS_PER_MS }),
    },
  }
}
