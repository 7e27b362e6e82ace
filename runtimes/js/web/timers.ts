// setTimeout, setInterval and their ends, on the host's sleep.
import host from 'hearth:js/host@0.1.0'

import { hostValue, requireLive, uncaught } from '../calls.ts'

type Callback = (...values: unknown[]) => unknown

let last = 0
const running = new Set<number>()
const LONGEST_MS = 2_147_483_647

export function setTimeout(callback: Callback, ms: unknown = 0, ...values: unknown[]): number {
  requireLive('setTimeout')
  return start(callback, ms, values, false)
}

export function setInterval(callback: Callback, ms: unknown = 0, ...values: unknown[]): number {
  requireLive('setInterval')
  return start(callback, ms, values, true)
}

export function clearTimeout(id: unknown): void {
  running.delete(Number(id))
}

interface Timer {
  readonly id: number
  readonly callback: Callback
  readonly ms: number
  readonly values: readonly unknown[]
  readonly repeated: boolean
}

function start(callback: Callback, ms: unknown, values: readonly unknown[], repeated: boolean): number {
  if (typeof callback !== 'function') throw new TypeError(`a timer expects a function: received ${typeof callback}`)
  const id = ++last
  running.add(id)
  void run({ id, callback, ms: Math.min(Math.max(Math.trunc(Number(ms)) || 0, 0), LONGEST_MS), values, repeated })
  return id
}

async function run({ id, callback, ms, values, repeated }: Timer): Promise<void> {
  do {
    try {
      await hostValue(host.sleep(ms))
    } catch {
      // The call is over, and its timers with it.
      running.delete(id)
      return
    }
    if (!running.has(id)) return
    if (!repeated) running.delete(id)
    try {
      const result = callback(...values)
      // Nobody else can have hold of the promise of an asynchronous callback.
      if (result instanceof Promise) result.catch(uncaught)
    } catch (thrown) {
      uncaught(thrown)
    }
  } while (running.has(id))
}
