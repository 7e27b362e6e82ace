// A driver whose sandboxes are objects in this process: for fast, deterministic tests of everything above the driver
// seam, and for demonstrations. It isolates nothing, and can be scripted to hang, die, lie and be slow.
import type { Clock } from '#core/clock'
import { sleep, systemClock } from '#core/clock'
import { PlatformError } from '#core/errors'
import type { SandboxId } from '#core/ids'

import type { Code, DriverCapabilities, Sandbox, SandboxDriver, SandboxSpec } from '../driver.ts'
import type { FakeProgram } from './program.ts'
import { FakeSandbox } from './sandbox.ts'
import { type FakeScript, HONEST } from './script.ts'

export interface FakeOptions {
  /** The program that is this code. */
  readonly programOf: (code: Code) => FakeProgram
  readonly clock?: Clock
  readonly script?: Partial<FakeScript>
}

export class FakeDriver implements SandboxDriver {
  readonly name = 'fake'
  readonly detail = 'programs in this process'
  readonly capabilities: DriverCapabilities = {
    runtimes: ['js', 'wasm', 'node', 'python'],
    maxConcurrency: 1000,
    maxBodyBytes: 128 * 1024 * 1024,
  }
  readonly script: FakeScript
  /** Those that live, oldest first. */
  readonly sandboxes = new Set<FakeSandbox>()
  /** Calls of `create`, failed ones included. */
  created = 0
  /** Most sandboxes that lived or were being created at the same time. */
  peak = 0
  readonly #programOf: (code: Code) => FakeProgram
  readonly #clock: Clock
  #creating = 0

  constructor({ programOf, clock = systemClock, script = {} }: FakeOptions) {
    this.#programOf = programOf
    this.#clock = clock
    this.script = { ...HONEST, ...script }
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    signal.throwIfAborted()
    this.created += 1
    this.#creating += 1
    this.peak = Math.max(this.peak, this.#creating + this.sandboxes.size)
    try {
      if (this.script.createMs > 0) await sleep(this.script.createMs, signal, this.#clock)
    } finally {
      this.#creating -= 1
    }
    if (this.script.failCreates > 0) {
      this.script.failCreates -= 1
      throw new PlatformError('sandbox-unavailable', { detail: 'the fake driver was scripted to fail' })
    }
    const onEnd = (ended: FakeSandbox): void => void this.sandboxes.delete(ended)
    const world = { clock: this.#clock, programOf: this.#programOf, onEnd }
    const sandbox = new FakeSandbox(spec, this.script, world)
    this.sandboxes.add(sandbox)
    return sandbox
  }

  async recover(_signal: AbortSignal): Promise<readonly SandboxId[]> {
    return []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.sandboxes].map((sandbox) => sandbox[Symbol.asyncDispose]()))
  }
}
