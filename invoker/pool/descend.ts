// The idle ladder: which idle sandboxes to pause and which to hibernate now. When they go for good is expire.ts; that
// it is done, and undone for a call, is resting.ts.
import { countServing, type Placeable, quiet } from './sandbox-state.ts'

/** How long a sandbox is idle before it goes down a rung, ms; Infinity: never. */
export interface Ladder {
  readonly pauseAfterMs: number
  readonly hibernateAfterMs: number
}

export const NO_LADDER: Ladder = { pauseAfterMs: Infinity, hibernateAfterMs: Infinity }

export interface Restable extends Placeable {
  /** How deep its driver can let it sleep. */
  readonly deepest: 'awake' | 'paused' | 'hibernated'
  /** Monotonic ms: it could not be let sleep (deeper) lately, so not before. */
  readonly restsFrom: number
}

/** Of the sandboxes of a version, those used most recently. */
export interface Stay {
  /** So many are not let sleep: they are there for a latency objective. */
  readonly awake: number
  /** So many are not hibernated. */
  readonly light: number
}

export interface Descent<P> {
  readonly pause: readonly P[]
  readonly hibernate: readonly P[]
  /** When there is more to do; Infinity for never. */
  readonly nextAt: number
}

/**
 * Busy and starting sandboxes count among those that stay. A sandbox that is due for both rungs goes to the lower one at
 * once.
 *
 * E.g. paused after 5 s and hibernated after 60: with one sandbox for an objective and two that stay light, of four that
 * have been idle for 90 s the one used last stays awake, the second is paused, the others are hibernated.
 */
export function descend<P extends Restable>(own: readonly P[], ladder: Ladder & Stay, now: number): Descent<P> {
  const idle = own
    .flatMap((sandbox) => (quiet(sandbox.state) ? [{ sandbox, state: sandbox.state }] : []))
    .toSorted((a, b) => b.state.since - a.state.since)
  const working = countServing(own) - idle.length
  const pause: P[] = []
  const hibernate: P[] = []
  let nextAt = Infinity
  for (const [index, { sandbox, state }] of idle.entries()) {
    const pauseAt = mayPause(sandbox, index + working < ladder.awake) ? state.since + ladder.pauseAfterMs : Infinity
    const hibernateAt = mayHibernate(sandbox, index + working < ladder.light)
      ? state.since + ladder.hibernateAfterMs
      : Infinity
    const at = (time: number): number => Math.max(time, sandbox.restsFrom)
    if (at(hibernateAt) <= now) hibernate.push(sandbox)
    else if (at(pauseAt) <= now) pause.push(sandbox)
    for (const time of [at(pauseAt), at(hibernateAt)]) if (time > now) nextAt = Math.min(nextAt, time)
  }
  return { pause, hibernate, nextAt }
}

function mayPause({ state, deepest }: Restable, stays: boolean): boolean {
  return !stays && deepest !== 'awake' && state.kind === 'idle'
}

function mayHibernate({ state, deepest }: Restable, stays: boolean): boolean {
  return !stays && deepest === 'hibernated' && state.kind !== 'hibernated'
}
