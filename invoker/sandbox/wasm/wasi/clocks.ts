// wasi:clocks
import { type Clock, systemClock } from '#core/clock'

import { Pollable } from './io.ts'

const NS_PER_MS = 1e6

export function clockImports(clock: Clock = systemClock): Record<string, object> {
  const until = (atMs: number): Pollable =>
    new Pollable(
      () => clock.monotonic() >= atMs,
      () => new Promise((resolve) => clock.after(Math.max(0, Math.ceil(atMs - clock.monotonic())), () => resolve())),
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
