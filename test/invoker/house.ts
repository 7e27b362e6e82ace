// An invoker over the fake driver on a clock of the test's own: what the tests of the pool and the guard share.
import { PlatformError } from '#core/errors'
import type { FunctionVersion } from '#core/function'
import { newInvocationId, parseDigest, parseFunctionName, parseVersionNumber } from '#core/ids'
import type { Invocation } from '#core/invocation'
import type { Completion } from '#core/invoker'
import { parseSpec } from '#core/spec'
import type { Dispatcher } from '#invoker/dispatcher'
import { createLocalInvoker, type LocalInvokerOptions } from '#invoker/local-invoker'
import { type Ladder, NO_LADDER } from '#invoker/pool/descend'
import type { StockSize } from '#invoker/pool/stock'
import { FakeDriver } from '#invoker/sandbox/fake/driver'
import type { FakeScript } from '#invoker/sandbox/fake/script'
import { behave } from '#test/contract/fixtures/fake'
import { Recorder } from '#test/contract/world'

import { ManualClock } from './manual-clock.ts'

export interface HouseOptions {
  readonly script?: Partial<FakeScript>
  readonly memoryMiB?: number
  readonly maxWaiting?: number
  readonly maxWaitMs?: number
  readonly stemCells?: StockSize
  readonly ladder?: Ladder
  readonly processors?: number
  readonly histories?: LocalInvokerOptions['histories']
}

export interface TestHouse {
  readonly clock: ManualClock
  readonly driver: FakeDriver
  readonly invoker: Dispatcher
  /** What was logged. */
  readonly warnings: string[]
  readonly call: (version: FunctionVersion, target: string, signal?: AbortSignal) => Call
}

/** A call under way: what it came to is there once it has come to it. */
export interface Call {
  readonly sink: Recorder
  readonly done: Promise<Completion>
  completion: Completion | undefined
  error: PlatformError | undefined
}

export function testHouse({
  script = {},
  memoryMiB = 100_000,
  maxWaiting = 1000,
  maxWaitMs = 30_000,
  stemCells = 0,
  ladder = NO_LADDER,
  processors = 2,
  histories,
}: HouseOptions = {}): TestHouse {
  const clock = new ManualClock()
  const driver = new FakeDriver({ programOf: () => behave, clock, script })
  const warnings: string[] = []
  const invoker = createLocalInvoker({
    clock,
    log: { warn: (message) => void warnings.push(message) },
    drivers: [driver],
    absent: [],
    artifacts: { fetch: async () => [] },
    limits: { maxHeaders: 100, maxHeaderBytes: 10_000, maxBodyBytes: 1_000_000 },
    memoryMiB,
    maxWaiting,
    maxWaitMs,
    stemCells,
    ladder,
    processors,
    ...(histories === undefined ? {} : { histories }),
  })
  const call = (version: FunctionVersion, target: string, signal = new AbortController().signal): Call => {
    const sink = new Recorder()
    const made: Call = {
      sink,
      done: invoker.invoke(invocationOf(version, target), sink, signal),
      completion: undefined,
      error: undefined,
    }
    made.done.then(
      (completion) => (made.completion = completion),
      (error: PlatformError) => (made.error = error),
    )
    return made
  }
  return { clock, driver, invoker, warnings, call }
}

export function versionOf(name: string, spec: Readonly<Record<string, unknown>> = {}, number = 1): FunctionVersion {
  return {
    function: parseFunctionName(name),
    number: parseVersionNumber(number),
    digest: parseDigest(String(number).padStart(64, '0')),
    spec: parseSpec({ concurrency: 1, timeoutMs: 1000, keepAliveMs: 60_000, memoryMiB: 100, ...spec }, 'js'),
    source: [],
    artifact: [],
    toolchain: 'test',
    createdAt: 0,
  }
}

export function invocationOf(version: FunctionVersion, target: string): Invocation {
  const request = { method: 'GET', target, origin: 'http://test', headers: [], body: new Uint8Array() }
  return { id: newInvocationId(), version, trigger: 'http', request, attempt: 1, acceptedAt: 0 }
}
