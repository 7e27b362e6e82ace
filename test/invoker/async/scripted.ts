// A consumer on parts in memory, with an invoker that answers as the test says.
import type { Destinations } from '#core/destination'
import type { FunctionVersion } from '#core/function'
import type { InvocationId } from '#core/ids'
import type { Invocation } from '#core/invocation'
import type { Completion, InvocationSink } from '#core/invoker'
import type { Outcome } from '#core/outcome'
import type { QueuedInvocation } from '#core/queue'
import type { InvocationRecord } from '#core/record'
import type { StopSignal } from '#core/stop-signal'
import { Consumer } from '#invoker/async/consumer'
import { versionOf } from '#test/invoker/house'
import { ManualClock } from '#test/invoker/manual-clock'

import { MemoryDeadLetters, MemoryFunctions, MemoryLanes, MemoryRecords, queued } from './memory-lanes.ts'

export type Answer = (call: {
  readonly invocation: Invocation
  readonly respond: (status: number, body: string) => Outcome
  /** Resolves to `cancelled` when the call is stopped. */
  readonly stopped: Promise<Outcome>
}) => Outcome | Promise<Outcome>

export interface ScriptedOptions {
  readonly answer?: Answer
  readonly destinations?: Destinations
  readonly maxRunning?: number
  readonly maxResultBytes?: number
  readonly room?: () => number
}

export interface Scripted {
  readonly clock: ManualClock
  readonly lanes: MemoryLanes
  readonly functions: MemoryFunctions
  readonly records: MemoryRecords
  readonly deadLetters: MemoryDeadLetters
  /** The invocations that ran, in order. */
  readonly ran: Invocation[]
  readonly warnings: string[]
  readonly delivered: string[]
  /** Serves until it is disposed of, for which time passes. */
  readonly consumer: () => AsyncDisposable
  readonly roomChanged: () => void
  readonly deployed: (name: string, spec?: Readonly<Record<string, unknown>>, number?: number) => FunctionVersion
  readonly submit: (version: FunctionVersion, changes?: Partial<QueuedInvocation>) => Promise<InvocationId>
  readonly record: (id: InvocationId) => InvocationRecord | undefined
}

/** Nothing is served before `consumer()`. */
export function scripted(options: ScriptedOptions = {}): Scripted {
  const { answer = ({ respond }) => respond(200, 'ok'), room = () => 100 } = options
  const clock = new ManualClock()
  const records = new MemoryRecords()
  const lanes = new MemoryLanes(clock, records)
  const functions = new MemoryFunctions()
  const deadLetters = new MemoryDeadLetters()
  const ran: Invocation[] = []
  const warnings: string[] = []
  const delivered: string[] = []
  const roomListeners = new Set<() => void>()
  const invoker = {
    room,
    onRoom: (listener: () => void): Disposable => {
      roomListeners.add(listener)
      return { [Symbol.dispose]: () => void roomListeners.delete(listener) }
    },
    invoke: async (invocation: Invocation, sink: InvocationSink, signal: StopSignal): Promise<Completion> => {
      const start = { kind: 'warm', queueMs: 0, startMs: 0 } as const
      ran.push(invocation)
      sink.started(start)
      const outcome = await answer({ invocation, respond: responder(sink), stopped: stopped(signal) })
      return { outcome, start, timings: { queueMs: 0, startMs: 0, runMs: 1 } }
    },
  }
  const consumer = (): AsyncDisposable => {
    const serving = new Consumer({
      lanes,
      functions,
      records,
      deadLetters,
      destinations: options.destinations,
      invoker,
      clock,
      log: { warn: (message) => void warnings.push(message) },
      maxRunning: options.maxRunning ?? 16,
      maxResultBytes: options.maxResultBytes ?? 1000,
      drainMs: 1000,
      onCompletion: () => undefined,
      onDelivery: (name, state) => void delivered.push(`${name} ${state}`),
    })
    return {
      [Symbol.asyncDispose]: async () => {
        const disposed = serving[Symbol.asyncDispose]()
        await clock.pass(5000)
        await disposed
      },
    }
  }
  return {
    clock,
    lanes,
    functions,
    records,
    deadLetters,
    ran,
    warnings,
    delivered,
    consumer,
    roomChanged: () => {
      for (const listener of roomListeners) listener()
    },
    deployed: (name, spec = {}, number = 1) => {
      const version = versionOf(name, spec, number)
      functions.put(version)
      return version
    },
    submit: async (version, changes = {}) => {
      const invocation = queued(version, '/', { acceptedAt: clock.now(), ...changes })
      await lanes.add(invocation)
      return invocation.id
    },
    record: (id) => records.records.get(id),
  }
}

function responder(sink: InvocationSink): (status: number, body: string) => Outcome {
  return (status, body) => {
    sink.head({ status, headers: [] }, Buffer.from(body))
    sink.end()
    return { kind: 'responded', status }
  }
}

function stopped(signal: StopSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    const stop = (): void => resolve({ kind: 'cancelled' })
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
