// Which of two accounts of one invocation stands. The same rule runs in Lua (WRITE in writer.ts): keep them in step.
import type { InvocationRecord, RecordState } from '#core/record'

/** One letter per state; final states are capitals. What a record in Redis begins with, so that Lua need not parse it. */
export const STATE_LETTERS = {
  queued: 'q',
  running: 'r',
  succeeded: 'S',
  failed: 'F',
  'timed-out': 'T',
  'out-of-memory': 'O',
  cancelled: 'C',
  expired: 'X',
} as const satisfies Record<RecordState, string>

/** More than there can be attempts. */
const RANKS_PER_TAKEOVER = 1000

/**
 * A final state gives way to a final one only, and a takeover or an attempt never to an earlier one; else the later
 * write stands.
 */
export function supersedes(next: InvocationRecord, current: InvocationRecord): boolean {
  if (isFinal(current.state) && !isFinal(next.state)) return false
  return rankOf(next) >= rankOf(current)
}

/**
 * How far the invocation had come: first by takeovers, then by attempts. A process that was away from Redis for so long
 * that another one has taken over writes late what it knows, and with that nothing newer.
 */
function rankOf({ attempts, redeliveries = 0 }: InvocationRecord): number {
  return redeliveries * RANKS_PER_TAKEOVER + Math.min(attempts.length, RANKS_PER_TAKEOVER - 1)
}

export function isFinal(state: RecordState): boolean {
  return state !== 'queued' && state !== 'running'
}

/** Whether there are lists of this state alone. Most records end as succeeded: those are picked out of all. */
export function isIndexed(state: RecordState): boolean {
  return state !== 'succeeded'
}

export function encodeRecord(record: InvocationRecord): string {
  return `${STATE_LETTERS[record.state]}${rankOf(record)}:${JSON.stringify(record)}`
}

export function decodeRecord(stored: string): InvocationRecord {
  return JSON.parse(stored.slice(stored.indexOf(':') + 1)) as InvocationRecord
}

/** The state that a letter stands for; undefined for anything else. */
export function stateOfLetter(letter: string): RecordState | undefined {
  return (Object.keys(STATE_LETTERS) as RecordState[]).find((state) => STATE_LETTERS[state] === letter)
}
