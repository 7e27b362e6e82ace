// One trigger, served by this process: its intake, its source when it has one, what it says of itself.
import { sleep } from '#core/clock'
import { asPlatformError } from '#core/errors'
import type { RecordStore } from '#core/record'
import type { Trigger, TriggerStore } from '#core/trigger'

import type { OpenSource, PullSource, ReceivedEvent, SourceContext } from '../sources/source.ts'
import { Intake, type IntakeSession } from './intake.ts'
import { Queueing, type QueueingDeps } from './queueing.ts'
import { Tally } from './tally.ts'
import { UnderWay } from './under-way.ts'

const FIRST_REOPEN_MS = 1000
const LONGEST_REOPEN_MS = 30_000
/** A source that was open for so long was not broken: the next delay is the first one again. */
const STEADY_MS = 60_000
const LAG_MS = 5000

export interface ServingDeps extends QueueingDeps {
  readonly triggers: TriggerStore
  readonly records: RecordStore
  /** URL of the store's Redis. */
  readonly redisUrl: string
  /** Of the data of all events of a batch. */
  readonly maxBatchBytes: number
}

/** What every served trigger has. Disposing stops it: nothing that it has taken over is lost. */
export interface ServedTrigger extends AsyncDisposable {
  readonly trigger: Trigger
  readonly tally: Tally
  readonly underWay: UnderWay
  accept(received: ReceivedEvent): Promise<boolean>
}

interface Core extends ServedTrigger {
  readonly intake: Intake
  /** Why it fails now, by who says so; undefined: it does not. */
  trouble(of: 'source' | 'queue', reason: string | undefined): void
  /** Events can come. */
  opened(): void
}

/** For events that come over HTTP: a failure is the answer to whoever sent them. */
export function servePush(deps: ServingDeps, trigger: Trigger): ServedTrigger {
  const core = makeCore(deps, trigger, false)
  core.opened()
  return core
}

/** Opens the source, and opens it again whenever it is lost. The caller leads the trigger. */
export function servePull(deps: ServingDeps, trigger: Trigger, source: PullSource): ServedTrigger {
  const core = makeCore(deps, trigger, true)
  const stop = new AbortController()
  const running = keepOpen({ deps, core, source, signal: stop.signal })
  return {
    ...core,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the trigger stops'))
      await core.intake[Symbol.asyncDispose]()
      await running
      await core[Symbol.asyncDispose]()
    },
  }
}

function makeCore(deps: ServingDeps, trigger: Trigger, persistent: boolean): Core {
  const { triggers, records, clock } = deps
  const { name, spec } = trigger
  const tally = new Tally(name, triggers, clock)
  const underWay = new UnderWay({
    trigger: name,
    records,
    clock,
    limit: spec.concurrency,
    onRoom: () => intake.wake(),
  })
  const { trouble, opened } = sayState(tally)
  const intake = new Intake({
    trigger,
    queueing: new Queueing(deps, trigger),
    underWay,
    tally,
    clock,
    persistent,
    maxBatchBytes: deps.maxBatchBytes,
    onTrouble: (reason) => trouble('queue', reason),
  })
  return {
    trigger,
    tally,
    underWay,
    intake,
    trouble,
    opened,
    accept: (received) => intake.accept(received),
    async [Symbol.asyncDispose]() {
      await intake[Symbol.asyncDispose]()
      underWay[Symbol.dispose]()
      await tally[Symbol.asyncDispose]()
    },
  }
}

function sayState(tally: Tally): Pick<Core, 'trouble' | 'opened'> {
  const reasons = new Map<'source' | 'queue', string>()
  let isOpen = false
  let said: string | undefined
  const say = (): void => {
    const reason = reasons.get('source') ?? reasons.get('queue')
    const state = reason === undefined ? (isOpen ? 'listening' : 'starting') : 'failing'
    if (said === `${state} ${reason}`) return
    said = `${state} ${reason}`
    tally.state(state, reason)
  }
  say()
  return {
    trouble(of, reason) {
      if (reason === undefined) reasons.delete(of)
      else reasons.set(of, reason)
      say()
    },
    opened() {
      isOpen = true
      reasons.delete('source')
      say()
    },
  }
}

interface Opening {
  readonly deps: ServingDeps
  readonly core: Core
  readonly source: PullSource
  readonly signal: AbortSignal
}

/** Until the signal aborts; never rejects. */
async function keepOpen(opening: Opening): Promise<void> {
  const { deps, core, signal } = opening
  const { clock } = deps
  for (let failures = 0; !signal.aborted; failures++) {
    const since = clock.monotonic()
    try {
      await core.underWay.load()
      await serveOnce(opening)
    } catch (error) {
      if (!signal.aborted) core.trouble('source', reasonOf(error))
    }
    if (clock.monotonic() - since > STEADY_MS) failures = 0
    const pause = Math.min(LONGEST_REOPEN_MS, FIRST_REOPEN_MS * 2 ** failures)
    await sleep(pause, signal, clock).catch(() => {})
  }
}

/** Opens the source and stays until it is lost, which is an error, or the signal aborts. */
async function serveOnce({ deps, core, source, signal }: Opening): Promise<void> {
  if (signal.aborted) return
  const stopped = Promise.withResolvers<undefined>()
  signal.addEventListener('abort', () => stopped.resolve(undefined), { once: true })
  using session = core.intake.session()
  const opening = source.open(contextOf(deps, core, session, signal))
  // A broker that does not answer must not keep a trigger from being stopped.
  await using open = await Promise.race([opening, stopped.promise])
  if (open === undefined) {
    opening.then((late) => late[Symbol.asyncDispose]()).catch(() => {})
    return
  }
  core.opened()
  using _lag = watchLag(deps, core, open)
  await Promise.race([open.ended.then(() => Promise.reject(new Error('the source ended'))), stopped.promise])
}

function contextOf(
  { triggers, clock, redisUrl }: ServingDeps,
  core: Core,
  session: IntakeSession,
  signal: AbortSignal,
): SourceContext {
  const { name, spec } = core.trigger
  return {
    trigger: name,
    options: spec.source as SourceContext['options'],
    redisUrl,
    prefetch: spec.batchSize * spec.concurrency,
    clock,
    signal,
    async accept(received) {
      await session.accept(received)
    },
    onFailing: (reason) => core.trouble('source', reason),
    onListening: () => core.trouble('source', undefined),
    state: { get: () => triggers.state(name), set: (state) => triggers.setState(name, state) },
  }
}

function watchLag({ clock }: ServingDeps, { tally, underWay }: Core, open: OpenSource): Disposable {
  let asking = false
  const ask = async (): Promise<void> => {
    if (asking) return
    asking = true
    try {
      const lag = (await open.lag?.()) ?? {}
      const { events, ms, nextAt } = lag
      tally.lag = lag
      tally.set({
        underWay: underWay.count,
        ...(events === undefined ? {} : { lag: events }),
        ...(ms === undefined ? {} : { lagMs: ms }),
        ...(nextAt === undefined ? {} : { nextAt }),
      })
    } catch {
      // The source is being lost, which shows elsewhere.
    } finally {
      asking = false
    }
  }
  void ask()
  return clock.every(LAG_MS, () => void ask())
}

/** For the status: what a user can act on. Errors of clients have their address in `cause` or nowhere. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  const { message } = error instanceof Error ? error : asPlatformError(error)
  return message === '' ? 'the source cannot be opened' : message.slice(0, 500)
}
