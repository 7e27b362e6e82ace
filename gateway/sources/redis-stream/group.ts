// The consumer group of a trigger: the place in the stream that Redis keeps for it, and what waits there.
import type { Redis } from 'ioredis'

import type { Lag, SourceContext } from '../source.ts'
import { timeOf } from './message.ts'
import type { RedisStreamOptions } from './options.ts'

/** Most that are counted one by one, where Redis cannot tell. */
const MAX_COUNTED = 1000

/**
 * The name of the group, which is there. One that was made before and is there no more, although the stream is, is not
 * made again, for its place is lost with it: that is for whoever removed it to decide.
 * @throws Error for the status of the trigger
 */
export async function ensureGroup(
  redis: Redis,
  { trigger, options, state }: Pick<SourceContext<RedisStreamOptions>, 'trigger' | 'options' | 'state'>,
): Promise<string> {
  const { stream, start } = options
  const group = options.group === '' ? `hearth-${trigger}` : options.group
  const made = JSON.stringify([stream, group])
  const wasMade = (await state.get()) === made
  const groups = await groupsOf(redis, stream)
  if (groups?.some(({ name }) => name === group) !== true) {
    if (wasMade && groups !== undefined) {
      throw new Error(
        `the consumer group "${group}" of the stream "${stream}" was removed, and with it the place of this trigger: ` +
          'make it again, name another in source.group, or remove the trigger and put it again',
      )
    }
    // Of a stream that was removed all entries to come are after the trigger.
    await makeGroup(redis, stream, group, wasMade || start === 'all' ? '0' : start === 'new' ? '$' : start)
  }
  if (!wasMade) await state.set(made)
  return group
}

/** What waits, by what Redis tells, or else as far as it is counted. */
export async function lagOf(redis: Redis, stream: string, group: string, now: number): Promise<Lag> {
  const info = (await groupsOf(redis, stream))?.find(({ name }) => name === group)
  if (info === undefined) return {}
  const [pending, next, counted] = await Promise.all([
    redis.xpending(stream, group) as Promise<[number, string | null, ...unknown[]]>,
    redis.xrange(stream, `(${info.lastDelivered}`, '+', 'COUNT', 1),
    info.lag === undefined ? redis.xrange(stream, `(${info.lastDelivered}`, '+', 'COUNT', MAX_COUNTED) : [],
  ])
  const oldest = [pending[1] ?? undefined, next[0]?.[0]].map((id) => (id === undefined ? undefined : timeOf(id)))
  const since = Math.min(...oldest.filter((time) => time !== undefined))
  const events = pending[0] + (info.lag ?? counted.length)
  return Number.isFinite(since)
    ? { events, ms: Math.max(0, now - since) }
    : { events, ...(events === 0 ? { ms: 0 } : {}) }
}

async function makeGroup(redis: Redis, stream: string, group: string, start: string): Promise<void> {
  try {
    await redis.xgroup('CREATE', stream, group, start, 'MKSTREAM')
  } catch (error) {
    // Somebody else made it just now.
    if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error
  }
}

interface Group {
  readonly name: string
  readonly lastDelivered: string
  /** Entries that were not handed out; undefined: Redis cannot tell. */
  readonly lag: number | undefined
}

/** Undefined: there is no such stream. @throws Error when the key is something else */
async function groupsOf(redis: Redis, stream: string): Promise<readonly Group[] | undefined> {
  try {
    const reply = (await redis.xinfo('GROUPS', stream)) as unknown[][]
    return reply.map((flat) => {
      const at = (name: string): unknown => flat[flat.indexOf(name) + 1]
      const lag = flat.includes('lag') ? at('lag') : null
      return {
        name: String(at('name')),
        lastDelivered: String(at('last-delivered-id')),
        lag: typeof lag === 'number' ? lag : undefined,
      }
    })
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if (error.message === 'ERR no such key') return undefined
    if (error.message.startsWith('WRONGTYPE')) throw new Error(`the key "${stream}" is not a stream`, { cause: error })
    throw error
  }
}
