// START HERE to add a kind of trigger: the seam between what events come from and what triggers do with them
// (gateway/triggers). A source receives and acknowledges; it never filters, batches, deduplicates or queues.
//
// One folder a kind, with the same files: source.ts (this interface), options.ts (its table of fields), message.ts
// (a message as a CloudEvent). The client of the broker is loaded by `open` (a dynamic import), for most processes need few
// of them. Every pull source passes the contract suite test/contract/event-source.ts on its real
// broker.
import type { Clock } from '#core/clock'
import type { CloudEvent } from '#core/event'
import type { TriggerName } from '#core/ids'
import type { SourceKind, TriggerSpec } from '#core/trigger'

import type { OptionsOf, SourceFields } from './fields.ts'

/** `pull`: one process at a time opens it. `push`: events come over HTTP to any process (gateway/routes). */
export type EventSource = PullSource | PushSource

interface SourceBase<F extends SourceFields> {
  readonly kind: SourceKind
  readonly fields: F
  /** Where the kind wants other defaults than those of TRIGGER_FIELDS. */
  readonly defaults?: Partial<Pick<TriggerSpec, 'batchSize' | 'batchWindowMs' | 'concurrency' | 'maxAgeMs'>>
  /** What the fields cannot say one by one. @throws PlatformError `invalid-trigger` (invalidField) */
  check?(options: OptionsOf<F>): void
}

export interface PushSource<F extends SourceFields = SourceFields> extends SourceBase<F> {
  readonly delivery: 'push'
}

export interface PullSource<F extends SourceFields = SourceFields> extends SourceBase<F> {
  readonly delivery: 'pull'
  /**
   * Connects, makes what it needs at the broker (a durable consumer, a group), starts to receive, and resolves when
   * events can come. Rejects when it cannot, with an error whose message tells a user why, without secrets: it is
   * shown in the status of the trigger, and open is called again later. `context.signal` may abort meanwhile.
   */
  open(context: SourceContext<OptionsOf<F>>): Promise<OpenSource>
}

/** What a source works with while it is open. */
export interface SourceContext<Options = OptionsOf<SourceFields>> {
  readonly trigger: TriggerName
  readonly options: Options
  /** URL of the store's Redis, for sources on Redis that are given no other. */
  readonly redisUrl: string
  /**
   * Most events that may be received and not be settled by `accept`; the broker must be told (prefetch, max_ack_pending,
   * COUNT, receive maximum), or a slow function pulls it dry.
   */
  readonly prefetch: number
  readonly clock: Clock
  /** Aborts when the source is to stop, before it is disposed of. */
  readonly signal: AbortSignal
  /**
   * Takes an event over: resolves when it is durable in the lane of the function, does not match the filter, or is
   * known already. Only then acknowledge it. Waits for as long as there is no room, or the store does not answer.
   * Rejects only when the trigger stops, or the source was lost and is closed: give the event back (nack) or leave it
   * unacknowledged.
   * Events are queued in the order of the calls, so call it in the order of the broker, and several times at once, up
   * to `prefetch`: a batch is filled with what waits here.
   */
  accept(received: ReceivedEvent): Promise<void>
  /** The connection is lost and the client is at work to get it back; in words for the status, without secrets. */
  onFailing(reason: string): void
  /** It is back. Not needed after `open`. */
  onListening(): void
  /** Small, durable, per trigger: what must be known after a restart where the broker keeps no position. */
  readonly state: {
    get(): Promise<string | undefined>
    set(state: string): Promise<void>
  }
}

export interface ReceivedEvent {
  readonly event: CloudEvent
  /**
   * The same over all deliveries of an event and different from that of every other one of the trigger (a sequence
   * number of the stream, the id of a row). With it a redelivery does not run twice; the event made of a redelivery
   * must then be the same too, byte for byte. Left out where the broker has none.
   */
  readonly key?: string
  /**
   * What tells events with the same key apart, for events of which only a part can be trusted to be the same again.
   * Left out: the whole event.
   */
  readonly content?: string
  /** The broker says that it delivered this one before. */
  readonly redelivered?: boolean
}

export interface Lag {
  /** Events that wait at the broker, received ones that are not acknowledged included. */
  readonly events?: number
  /** Age of the oldest of them, ms. */
  readonly ms?: number
  /** When the next one is due, ms since the epoch: of schedules. */
  readonly nextAt?: number
}

/** Disposing stops receiving, waits for acknowledgements under way, and closes. It does not reject. */
export interface OpenSource extends AsyncDisposable {
  /** Asked every few seconds. Left out when the broker cannot tell. */
  lag?(): Promise<Lag>
  /**
   * Settles when the source is lost in a way that its client does not mend by itself (a rejection says why): it is
   * then disposed of and opened again, with growing delays. Never settles because of disposal only.
   */
  readonly ended: Promise<unknown>
}
