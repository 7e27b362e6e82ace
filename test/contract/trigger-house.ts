// Triggers with everything behind them, on a real store: what comes from a source is queued, taken by the consumer and run
// by a function of the test's own. Only the sandboxes are fake.
import { systemClock } from '#core/clock'
import type { CloudEvent } from '#core/event'
import { parseFunctionName, parseTriggerName, type InvocationId } from '#core/ids'
import type { TriggerStatus } from '#core/trigger'
import { FunctionDirectory } from '#gateway/directory'
import { readEvents } from '#gateway/cloud-events/http'
import { SOURCES, type SourceCatalogue } from '#gateway/sources/catalogue'
import { parseTriggerSpec } from '#gateway/triggers/spec'
import { Triggers } from '#gateway/triggers/triggers'
import { Consumer } from '#invoker/async/consumer'
import { createLocalInvoker } from '#invoker/local-invoker'
import { FakeDriver } from '#invoker/sandbox/fake/driver'
import type { FakeCall } from '#invoker/sandbox/fake/program'
import { openStore, type Store } from '#store/open'
import { versionOf } from '#test/invoker/house'

/** The same in every process of a test, so that the next one need not wait for the lead of the last. */
export const OWNER = 'trigger-house'
/** Leases that are over soon, for the tests of crashes. */
export const STORE_SETTINGS = { leaseMs: 1000, sweepMs: 300, flushMs: 10 }
export const FUNCTION = 'receiver'

/** One run of the function. */
export interface Run {
  readonly invocation: InvocationId
  readonly attempt: number
  readonly events: readonly CloudEvent[]
  /** The data of the events as text. */
  readonly texts: readonly string[]
}

/** What the function does with a run; it answers 200 when this resolves, fails when it rejects. */
export type Behaviour = (run: Run, call: FakeCall) => Promise<unknown> | void

export class TriggerHouse implements AsyncDisposable {
  readonly store: Store
  triggers: Triggers
  readonly driver: FakeDriver
  /** In the order in which they began. */
  readonly runs: Run[] = []
  behaviour: Behaviour = () => {}
  readonly #resources: AsyncDisposableStack
  readonly #open: () => Triggers

  /** @param redisUrl of a Redis of the test; houses with the same prefix have the same store */
  static async open(redisUrl: string, prefix: string, sources: SourceCatalogue = SOURCES): Promise<TriggerHouse> {
    await using opening = new AsyncDisposableStack()
    const store = opening.use(await openStore({ url: redisUrl, prefix, settings: STORE_SETTINGS }))
    await store.functions.deploy(versionOf(FUNCTION, { concurrency: 16, timeoutMs: 60_000 }), systemClock.now())
    const house = new TriggerHouse(store, sources, redisUrl, opening.move())
    await house.triggers.start()
    return house
  }

  private constructor(store: Store, sources: SourceCatalogue, redisUrl: string, resources: AsyncDisposableStack) {
    this.store = store
    this.#resources = resources
    this.driver = new FakeDriver({ programOf: () => (call) => this.#run(call) })
    const log = { warn: () => undefined }
    const invoker = createLocalInvoker({
      clock: systemClock,
      log,
      drivers: [this.driver],
      absent: [],
      artifacts: { fetch: async () => [] },
      limits: { maxHeaders: 100, maxHeaderBytes: 100_000, maxBodyBytes: 10_000_000 },
      memoryMiB: 10_000,
      maxWaiting: 1000,
      maxWaitMs: 30_000,
    })
    resources.defer(() => invoker.drain(0))
    const { lanes, functions, records, deadLetters } = store
    resources.use(
      new Consumer({
        lanes,
        functions,
        records,
        deadLetters,
        invoker,
        log,
        destinations: undefined,
        clock: systemClock,
        maxRunning: 64,
        maxResultBytes: 1000,
        drainMs: 5000,
        onCompletion: () => undefined,
        onDelivery: () => undefined,
      }),
    )
    this.#open = () => openTriggers(store, sources, redisUrl)
    this.triggers = this.#open()
    resources.defer(() => this.triggers[Symbol.asyncDispose]())
  }

  /** After its triggers were disposed of, as a restart would. */
  async reopenTriggers(): Promise<void> {
    this.triggers = this.#open()
    await this.triggers.start()
  }

  /** The data of the events of all runs, in the order of the runs. */
  get texts(): readonly string[] {
    return this.runs.flatMap(({ texts }) => texts)
  }

  /** @param spec as a user would write it, without the function */
  async put(name: string, spec: Readonly<Record<string, unknown>>): Promise<void> {
    const trigger = parseTriggerName(name)
    const parsed = parseTriggerSpec({ function: FUNCTION, ...spec }, SOURCES)
    await this.store.triggers.put(trigger, parsed, systemClock.now())
    await this.triggers.refresh(trigger)
  }

  async status(name: string): Promise<TriggerStatus | undefined> {
    for (const { tally } of this.triggers.all()) await tally.flush()
    return this.store.triggers.status(parseTriggerName(name))
  }

  /** Those in the dead-letter lane of the function, newest first. */
  async deadLetters(): Promise<readonly string[]> {
    const page = await this.store.deadLetters.list(parseFunctionName(FUNCTION), { limit: 100 })
    return page.letters.map(({ invocation }) => Buffer.from(invocation.request.body).toString())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]()
  }

  async #run(call: FakeCall): Promise<void> {
    const { request, id, attempt } = call.invocation
    const events = readEvents(Object.fromEntries(request.headers), await call.body())
    const texts = events.map(({ data }) => Buffer.from(data).toString())
    const run = { invocation: id, attempt, events, texts }
    this.runs.push(run)
    await this.behaviour(run, call)
    call.respond(200)
  }
}

export function openTriggers(store: Store, sources: SourceCatalogue, redisUrl: string): Triggers {
  const { functions, records, lanes, idempotency, triggers } = store
  const directory = new FunctionDirectory(functions, systemClock)
  return new Triggers({
    records,
    lanes,
    idempotency,
    triggers,
    sources,
    redisUrl,
    maxBatchBytes: 4 * 1024 * 1024,
    resolve: (name) => directory.resolve(name),
    clock: systemClock,
    owner: OWNER,
    onFault: () => {},
  })
}
