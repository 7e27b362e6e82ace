// The contract suite: every driver must pass it, with a fixture for each of its runtimes. What it cannot pass is
// skipped with a reason.
import { afterAll, beforeAll, describe, test } from 'vitest'

import type { SandboxDriver } from '#invoker/sandbox/driver'

import { faultTests } from './tests/faults.ts'
import { httpTests } from './tests/http.ts'
import { HOST_SECRET, isolationTests } from './tests/isolation.ts'
import { lifecycleTests } from './tests/lifecycle.ts'
import { type Fixture, World } from './world.ts'

const TESTS = { ...httpTests, ...faultTests, ...isolationTests, ...lifecycleTests }

export type ContractTest = keyof typeof TESTS

/** For drivers whose sandboxes have no `pause`. */
export const PAUSE_TESTS = [
  'a paused sandbox answers nothing, and goes on as it was when it is resumed',
  'code and calls wake a paused sandbox, and a busy one is not paused',
  'an idle function sleeps, then deeper, and its next calls are answered as before',
] as const satisfies readonly ContractTest[]

export interface Skip {
  readonly reason: string
  readonly tests: readonly ContractTest[]
  /** Names of fixtures; all when left out. */
  readonly fixtures?: readonly string[]
}

export interface DriverUnderTest {
  readonly name: string
  /** Called once per fixture; disposed of by the suite. */
  makeDriver(): Promise<SandboxDriver>
  readonly fixtures: readonly Fixture[]
  readonly skip: readonly Skip[]
  /** Called after all tests of a fixture and the disposal of the driver: what must be gone by then. */
  expectNothingLeft?(): Promise<void>
}

export function describeSandboxDriver(subject: DriverUnderTest): void {
  describe.each(subject.fixtures)(`${subject.name} driver, $name fixture`, (fixture) => {
    let driver: SandboxDriver
    let world: World

    beforeAll(async () => {
      process.env[HOST_SECRET.name] = HOST_SECRET.value
      driver = await subject.makeDriver()
      world = await World.open(driver, fixture)
    })

    afterAll(async () => {
      delete process.env[HOST_SECRET.name]
      await world[Symbol.asyncDispose]()
      await driver[Symbol.asyncDispose]()
      await subject.expectNothingLeft?.()
    })

    for (const [title, body] of Object.entries(TESTS)) {
      const skip = subject.skip.find(
        ({ tests, fixtures }) => tests.includes(title as ContractTest) && (fixtures?.includes(fixture.name) ?? true),
      )
      if (skip === undefined) test(title, { timeout: 60_000 }, () => body(world))
      else test.skip(`${title} (not here: ${skip.reason})`, () => undefined)
    }
  })
}
