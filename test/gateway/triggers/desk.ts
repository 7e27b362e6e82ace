// A trigger over stores in memory, on a clock of the test's own.
import { parseTriggerName, type InvocationId } from '#core/ids'
import type { RecordState } from '#core/record'
import type { Trigger, TriggerSpec } from '#core/trigger'
import { FunctionDirectory } from '#gateway/directory'
import { eventsSource } from '#gateway/sources/events/source'
import type { OpenSource, PullSource, ReceivedEvent, SourceContext } from '#gateway/sources/source'
import { parseTriggerSpec } from '#gateway/triggers/spec'
import type { ServingDeps } from '#gateway/triggers/served-trigger'
import { MemoryIdempotency } from '#test/gateway/memory-keys'
import { MemoryTriggers } from '#test/gateway/memory-triggers'
import { MemoryFunctions, MemoryLanes, MemoryRecords } from '#test/gateway/memory'
import { versionOf } from '#test/invoker/house'
import { ManualClock, settle } from '#test/invoker/manual-clock'

export const NAME = parseTriggerName('desk')

export class Desk {
  readonly clock = new ManualClock()
  readonly functions = new MemoryFunctions()
  readonly lanes = new MemoryLanes()
  readonly records = new MemoryRecords()
  readonly idempotency = new MemoryIdempotency()
  readonly triggers = new MemoryTriggers()
  readonly deps: ServingDeps

  static async open(): Promise<Desk> {
    const desk = new Desk()
    await desk.functions.deploy(versionOf('f'), 0)
    return desk
  }

  private constructor() {
    const directory = new FunctionDirectory(this.functions, this.clock)
    const { clock, lanes, records, idempotency, triggers } = this
    const resolve: ServingDeps['resolve'] = (name) => directory.resolve(name)
    this.deps = { clock, lanes, records, idempotency, triggers, redisUrl: '', resolve, maxBatchBytes: 1024 * 1024 }
  }

  /** The data of the events in the lane, by invocation. */
  get queued(): readonly (readonly string[])[] {
    return this.lanes.added.map(({ request }) => {
      const text = Buffer.from(request.body).toString()
      const isBatch = request.headers.some(([name, value]) => name === 'content-type' && value.includes('batch'))
      return isBatch ? (JSON.parse(text) as { id: string }[]).map(({ id }) => id) : [text]
    })
  }

  /** Ends an invocation, as the consumer does. */
  async finish(id: InvocationId, state: RecordState = 'succeeded'): Promise<void> {
    const record = await this.records.get(id)
    if (record === undefined) throw new Error(`no record of ${id}`)
    this.records.write({ ...record, state, finishedAt: this.clock.now() })
    this.lanes.added.splice(
      this.lanes.added.findIndex((invocation) => invocation.id === id),
      1,
    )
    await settle()
  }
}

export function triggerOf(spec: Readonly<Record<string, unknown>> = {}): Trigger {
  const parsed: TriggerSpec = {
    ...parseTriggerSpec({ kind: 'events', function: 'f' }, { events: eventsSource }),
    concurrency: 10,
    ...spec,
  }
  return { name: NAME, spec: parsed, revision: 1, createdAt: 0, updatedAt: 0 }
}

export function received(id: string, more: Partial<ReceivedEvent> = {}): ReceivedEvent {
  const attributes = { id, source: '/test', type: 'test', datacontenttype: 'text/plain' }
  return { event: { attributes, data: new TextEncoder().encode(id) }, key: id, ...more }
}

/** A source that a test drives. */
export class HandSource implements PullSource {
  readonly kind = 'amqp'
  readonly delivery = 'pull'
  readonly fields = {}
  readonly contexts: SourceContext[] = []
  disposed = 0
  /** What open() waits for. */
  gate: Promise<void> | undefined
  /** What open() fails with. */
  broken: Error | undefined
  lost = Promise.withResolvers<void>()

  async open(context: SourceContext): Promise<OpenSource> {
    this.contexts.push(context)
    await this.gate
    if (this.broken !== undefined) throw this.broken
    this.lost = Promise.withResolvers<void>()
    this.lost.promise.catch(() => {})
    return {
      ended: this.lost.promise,
      lag: async () => ({ events: 7, ms: 500 }),
      [Symbol.asyncDispose]: async () => void this.disposed++,
    }
  }

  get context(): SourceContext {
    const context = this.contexts.at(-1)
    if (context === undefined) throw new Error('it was not opened')
    return context
  }
}
