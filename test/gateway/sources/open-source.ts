// A pull source that is opened by a test instead of a trigger.
import { systemClock } from '#core/clock'
import { parseTriggerName } from '#core/ids'
import { parseFields, type SourceFields } from '#gateway/sources/fields'
import type { OpenSource, PullSource, ReceivedEvent, SourceContext } from '#gateway/sources/source'

export interface TestContext {
  readonly trigger: string
  readonly prefetch: number
  /** Of the store's Redis. */
  readonly redisUrl: string
  /** Outlives a source, as the store does. */
  readonly kept: { state?: string }
  /** Where it waits, the source is told that the trigger stops when it is disposed of. */
  readonly accept: (received: ReceivedEvent) => Promise<unknown>
}

export interface OpenedSource extends AsyncDisposable {
  readonly source: OpenSource
  readonly received: readonly ReceivedEvent[]
  /** The data of what was received, as text. */
  readonly texts: readonly string[]
}

/** As `accept`: there is no room. */
export function noRoom(): Promise<never> {
  return new Promise(() => {})
}

/** Disposing stops it as a trigger does: what accept() has not taken by then is given back. */
export async function openSource<F extends SourceFields>(
  source: PullSource<F>,
  options: Readonly<Record<string, unknown>>,
  given: Partial<TestContext> = {},
): Promise<OpenedSource> {
  const { trigger = 'under-test', prefetch = 10, redisUrl = '', kept = {}, accept = async () => {} } = given
  const stop = new AbortController()
  const stopped = new Promise<never>((_, reject) => {
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason as Error))
  })
  stopped.catch(() => {})
  const received: ReceivedEvent[] = []
  const parsed = parseFields(source.fields, options, 'source')
  source.check?.(parsed)
  const context: SourceContext<typeof parsed> = {
    trigger: parseTriggerName(trigger),
    options: parsed,
    redisUrl,
    prefetch,
    clock: systemClock,
    signal: stop.signal,
    async accept(event) {
      received.push(event)
      await Promise.race([accept(event), stopped])
    },
    onFailing: () => {},
    onListening: () => {},
    state: {
      get: async () => kept.state,
      set: async (state) => void (kept.state = state),
    },
  }
  const open = await source.open(context)
  return {
    source: open,
    received,
    get texts() {
      return received.map(({ event }) => Buffer.from(event.data).toString())
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the test is over'))
      await open[Symbol.asyncDispose]()
    },
  }
}
