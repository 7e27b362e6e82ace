// An invoker whose sandboxes can be let sleep, on the fake driver: what the tests of the idle ladder share.
import type { FunctionVersion } from '#core/function'
import type { FakeScript } from '#invoker/sandbox/fake/script'

import { type Call, type HouseOptions, testHouse, type TestHouse, versionOf } from '../house.ts'

export const LADDER = { pauseAfterMs: 5000, hibernateAfterMs: 60_000 }
export const KEEP_ALIVE_MS = 600_000
export const NONE = { starting: 0, idle: 0, paused: 0, hibernated: 0, busy: 0, draining: 0, generic: 0 }

export function restful(script: Partial<FakeScript> = {}, options: HouseOptions = {}): TestHouse {
  return testHouse({ ladder: LADDER, script: { rests: true, createMs: 150, ...script }, ...options })
}

export function kept(name: string, spec: Readonly<Record<string, unknown>> = {}, number = 1): FunctionVersion {
  return versionOf(name, { keepAliveMs: KEEP_ALIVE_MS, ...spec }, number)
}

/** Called once, and then left alone for so long. */
export async function leftAlone(house: TestHouse, version: FunctionVersion, ms: number): Promise<void> {
  house.call(version, '/hello')
  await house.clock.pass(house.driver.script.createMs)
  await house.clock.pass(ms)
}

/** What calls came to, so far. */
export function kinds(calls: readonly Call[]): (string | undefined)[] {
  return calls.map(({ completion, error }) => completion?.outcome.kind ?? error?.code)
}

export function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make)
}
