// Plain data for the tests of the store, and waiting for what happens in another process.
import { createHash } from 'node:crypto'

import { sleep } from '#core/clock'
import type { NewVersion } from '#core/function-store'
import { type Digest, type FunctionName, type LaneName, newInvocationId, type VersionNumber } from '#core/ids'
import type { Lanes, QueuedInvocation } from '#core/queue'
import type { InvocationRecord, StoredLogLine } from '#core/record'
import { parseSpec } from '#core/spec'

export const NAME = 'hello' as FunctionName

export function sampleVersion(code: string, overrides: Partial<NewVersion> = {}): NewVersion {
  return {
    function: NAME,
    digest: createHash('sha256').update(code).digest('hex') as Digest,
    spec: parseSpec({}, 'js'),
    source: [],
    artifact: [],
    toolchain: 'test 1',
    ...overrides,
  }
}

export function sampleInvocation(overrides: Partial<QueuedInvocation> = {}, body = 'hi'): QueuedInvocation {
  const bytes = new TextEncoder().encode(body)
  return {
    id: newInvocationId(),
    function: NAME,
    version: 1 as VersionNumber,
    request: { method: 'POST', target: '/', origin: 'http://test', headers: [['a', 'b']], body: bytes },
    acceptedAt: Date.now(),
    trigger: 'async',
    cause: {},
    retry: { maxAttempts: 3, backoff: 'exponential', delayMs: 1_000, maxDelayMs: 300_000 },
    priority: 0,
    ...overrides,
  }
}

export function sampleRecord(overrides: Partial<InvocationRecord> = {}): InvocationRecord {
  return {
    id: newInvocationId(),
    function: NAME,
    version: 1 as VersionNumber,
    trigger: 'http',
    state: 'succeeded',
    request: { method: 'GET', target: '/', bodyBytes: 0 },
    acceptedAt: Date.now(),
    attempts: [],
    ...overrides,
  }
}

export function attempts(count: number): InvocationRecord['attempts'] {
  return Array.from({ length: count }, (_, index) => ({ number: index + 1, startedAt: 1, state: 'running' as const }))
}

export function sampleLine(text: string, overrides: Partial<StoredLogLine> = {}): StoredLogLine {
  return { at: 1, stream: 'stdout', text, function: NAME, invocation: newInvocationId(), ...overrides }
}

/** All that is in a lane. */
export async function depthOf(lanes: Lanes, name: LaneName = NAME): Promise<number> {
  const { waiting, delayed, running } = await lanes.state(name)
  return waiting + delayed + running
}

/** Resolves with the first value that is not undefined or false; fails after ten seconds. */
export async function eventually<T>(probe: () => Promise<T> | T): Promise<Exclude<T, undefined | false>> {
  const deadline = AbortSignal.timeout(10_000)
  for (;;) {
    const value = await probe()
    if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>
    await sleep(10, deadline)
  }
}
