// Events by the clock: cron, intervals, one time. The broker is the clock; what was dealt with is kept in the store.
import { sleep } from '#core/clock'

import type { Lag, OpenSource, PullSource, SourceContext } from '../source.ts'
import { eventOfTime } from './message.ts'
import { checkOptions, FIELDS, type ScheduleOptions } from './options.ts'
import { dueNow, GRACE_MS, nextDue } from './plan.ts'

/** The clock of the machine may be set, or the machine sleep: it is looked at again at least this often. */
const LOOK_AGAIN_MS = 30_000

export const scheduleSource: PullSource<typeof FIELDS> = {
  kind: 'schedule',
  delivery: 'pull',
  fields: FIELDS,
  // A run waits for the one before it.
  defaults: { concurrency: 1 },
  check: checkOptions,
  open,
}

async function open(context: SourceContext<ScheduleOptions>): Promise<OpenSource> {
  const { clock, options, state } = context
  const kept = await state.get()
  // A single time that is over when the trigger is made was missed; recurring ones are due from now on.
  const position = { last: kept === undefined ? (options.at === '' ? clock.now() : 0) : Number(kept) }
  if (kept === undefined) await state.set(String(position.last))
  const closed = new AbortController()
  const running = run(context, position, AbortSignal.any([context.signal, closed.signal]))
  return {
    ended: running,
    async lag(): Promise<Lag> {
      const nextAt = nextDue(options, Math.max(position.last, clock.now()))
      return nextAt === undefined ? {} : { nextAt }
    },
    async [Symbol.asyncDispose]() {
      closed.abort(new Error('the source is closed'))
      await running.catch(() => {})
    },
  }
}

/** Rejects when the signal aborts, the trigger stops, or the state cannot be kept. */
async function run(
  context: SourceContext<ScheduleOptions>,
  position: { last: number },
  signal: AbortSignal,
): Promise<never> {
  const { clock, options, state, trigger } = context
  const dealtWith = async (time: number): Promise<void> => {
    position.last = time
    await state.set(String(time))
  }
  for (;;) {
    const next = nextDue(options, position.last) ?? Infinity
    while (clock.now() < next) await sleep(Math.min(LOOK_AGAIN_MS, next - clock.now()), signal, clock)
    const now = clock.now()
    const times = dueNow(options, position.last, now)
    for (const time of times) {
      await context.accept(eventOfTime(trigger, time, options.data))
      await dealtWith(time)
    }
    // All were missed, and are not to be made up for.
    if (times.length === 0) await dealtWith(now - GRACE_MS)
  }
}
