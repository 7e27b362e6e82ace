// Whether a round has kept what docs/events.md and the 202 promise. Reads; changes nothing.
import { Queue } from 'bullmq'

import type { DeadLetter } from '#core/dead-letter'
import { type FunctionName, parseFunctionName } from '#core/ids'
import type { InvocationRecord } from '#core/record'
import { parseRedisUrl } from '#store/connect'

import type { Account } from './client.ts'
import { type Effect, FUNCTIONS, type World } from './world.ts'

const PAGE = 500
const FINAL: readonly InvocationRecord['state'][] = ['succeeded', 'failed', 'cancelled', 'expired']

export interface Verdict {
  /** One line each. None: all was kept. */
  readonly faults: readonly string[]
  readonly accepted: number
  readonly runs: number
  readonly retried: number
  readonly redelivered: number
  readonly cancelled: number
  readonly expired: number
  readonly deadLetters: number
  readonly deliveries: number
  /** Records of calls that were not accepted, left as queued. */
  readonly orphans: number
}

export interface Evidence {
  readonly accounts: readonly Account[]
  /** Before the first was sent, ms since the epoch. */
  readonly since: number
  /** Final records as they were first seen, by id. */
  readonly firstFinal: ReadonlyMap<string, InvocationRecord>
}

export async function judge(world: World, evidence: Evidence): Promise<Verdict> {
  const look = await lookAt(world, evidence)
  const calls = look.records.filter((record) => record.function !== 'told')
  const orphans = calls.filter((record) => isOrphan(look, record))
  const faults = [
    ...evidence.accounts.flatMap((account) => judgeAccount(look, account)),
    ...calls.filter((record) => !orphans.includes(record)).flatMap((record) => judgeRecord(look, record)),
    ...look.records.flatMap((record) => judgeRuns(look, record)),
    ...judgeDestinations(look),
    ...judgeLetters(look),
    ...(world.hasIds ? judgeCap(look) : []),
  ]
  const count = (state: string): number => look.records.filter((record) => record.state === state).length
  return {
    faults,
    accepted: [...look.accepted].length,
    runs: look.effects.filter(({ kind }) => kind === 'start').length,
    retried: look.records.filter(({ attempts }) => attempts.length > 1).length,
    redelivered: look.records.filter(({ redeliveries = 0 }) => redeliveries > 0).length,
    cancelled: count('cancelled'),
    expired: count('expired'),
    deadLetters: look.letters.length,
    deliveries: look.records.flatMap(({ deliveries = [] }) => deliveries).length,
    orphans: orphans.length,
  }
}

interface Look {
  readonly evidence: Evidence
  readonly world: World
  readonly records: readonly InvocationRecord[]
  /** Ids that a client was promised. */
  readonly accepted: ReadonlySet<string>
  readonly byTag: ReadonlyMap<string, Account>
  readonly effects: readonly Effect[]
  readonly starts: ReadonlyMap<string, readonly Effect[]>
  readonly letters: readonly DeadLetter[]
  /** Ids of jobs in queues of the user's. */
  readonly jobs: ReadonlySet<string>
}

async function lookAt(world: World, evidence: Evidence): Promise<Look> {
  const names = Object.keys(FUNCTIONS).map((name) => parseFunctionName(name))
  const { accounts, since } = evidence
  const accepted = new Set(accounts.flatMap(({ ids }) => [...ids]))
  const records = (await Promise.all(names.map((name) => recordsOf(world, name, since)))).flat()
  const letters = (await Promise.all(names.map((name) => lettersOf(world, name, since)))).flat()
  const jobs = (await Promise.all(['failed', 'done'].map((name) => jobsOf(world, name)))).flat()
  const effects = (await world.effects()).filter(({ at }) => at >= since)
  const starts = Map.groupBy(
    effects.filter(({ kind }) => kind === 'start'),
    ({ tag }) => tag,
  )
  return {
    evidence,
    world,
    letters,
    effects,
    starts,
    records: records.filter((record) => !isRefused(record) || accepted.has(record.id)),
    jobs: new Set(jobs),
    accepted,
    byTag: new Map(accounts.map((account) => [account.request.tag, account])),
  }
}

/** A call was promised: then there is one record, and it is over. */
function judgeAccount({ records, starts, world }: Look, account: Account): string[] {
  const { request, ids, fault } = account
  const { tag } = request
  const faults: string[] = fault === undefined ? [] : [`${tag}: ${fault}`]
  if (ids.size > 1) faults.push(`${tag}: one key was answered with ${[...ids].join(' and ')}`)
  for (const id of ids) {
    const found = records.filter((record) => record.id === id)
    if (found.length !== 1) {
      faults.push(`${tag}: accepted and has ${found.length} records: ${JSON.stringify({ ...account, ids: [...ids] })}`)
    }
  }
  const run = new Set((starts.get(tag) ?? []).map(({ id }) => id))
  if (world.hasIds && run.size > 1) faults.push(`${tag}: ran as ${[...run].join(' and ')}`)
  return faults
}

/** Its end is the one that was asked for, and it came once. */
function judgeRecord({ accepted, byTag, starts, evidence, world }: Look, record: InvocationRecord): string[] {
  const { id, state } = record
  const tag = tagOf(record)
  const account = byTag.get(tag)
  const fault = (what: string): string[] => [`${tag}: ${what}: ${JSON.stringify(record)}`]
  if (account === undefined) return fault('a record of nothing that was sent')
  if (!FINAL.includes(state)) return fault(`${accepted.has(id) ? 'accepted and ' : ''}not over`)
  // It may have been refused and still run: then the record says one and then the other.
  if (!accepted.has(id)) return []
  const { request, cancelAsked, cancelled } = account
  const runs = starts.get(tag) ?? []
  const first = evidence.firstFinal.get(id)
  const faults: string[] = []
  // Who cancels it and who takes it meanwhile may both write that down, with their own time.
  const isSame = first?.finishedAt === record.finishedAt || state === 'cancelled'
  if (first !== undefined && !(first.state === state && isSame)) {
    faults.push(...fault(`it was over before, as ${first.state} at ${first.finishedAt}`))
  }
  // A takeover is an attempt, and may leave none for code that cannot know which one it is.
  const isLastChance = !world.hasIds && (record.redeliveries ?? 0) > 0 && request.fails > 0 && state === 'failed'
  if (!expectedStates(account).includes(state) && !isLastChance)
    faults.push(...fault('another end than it was made for'))
  if (state === 'succeeded' && runs.length === 0) faults.push(...fault('succeeded without being run'))
  if (state === 'expired' && runs.length > 0) faults.push(...fault('ran and is expired'))
  if (state === 'cancelled' && !cancelAsked) faults.push(...fault('nobody has cancelled it'))
  if (cancelled?.answer === 'cancelled' && (state !== 'cancelled' || runs.some(({ at }) => at > cancelled.at))) {
    faults.push(...fault('it was said to be cancelled'))
  }
  const early = runs.find(({ at }) => at < account.sentAt + request.delayMs)
  if (early !== undefined) faults.push(...fault(`it ran ${account.sentAt + request.delayMs - early.at} ms too early`))
  return faults
}

function expectedStates({ request, cancelAsked }: Account): readonly InvocationRecord['state'][] {
  const { fails, maxAgeMs } = request
  return [
    fails < FUNCTIONS[request.function].maxAttempts ? 'succeeded' : 'failed',
    ...(cancelAsked ? (['cancelled'] as const) : []),
    ...(maxAgeMs > 0 ? (['expired'] as const) : []),
  ]
}

/** Every run is an attempt in the record, or a redelivery. */
function judgeRuns({ starts, world }: Look, record: InvocationRecord): string[] {
  const tag = tagOf(record)
  const runs = (starts.get(tag) ?? []).filter(({ id }) => id === undefined || id === record.id)
  const { attempts, redeliveries = 0 } = record
  const faults: string[] = []
  if (runs.length > attempts.length + redeliveries) {
    faults.push(
      `${tag}: ${runs.length} runs, ${attempts.length} attempts, ${redeliveries} redeliveries: ${JSON.stringify([record, runs])}`,
    )
  }
  const numbers = new Set(runs.map(({ attempt }) => attempt))
  if (world.hasIds && numbers.size < runs.length) {
    faults.push(`${tag}: an attempt was run twice: ${JSON.stringify([record, runs])}`)
  }
  return faults
}

/** Who is to be told of an end has been told, once; nobody of another one. */
function judgeDestinations({ records, jobs, accepted }: Look): string[] {
  const told = Map.groupBy(
    records.filter((record) => record.function === 'told'),
    ({ cause }) => cause?.destinationOf,
  )
  return records.flatMap((record) => {
    const { id, state, deliveries = [] } = record
    const fault = (what: string): string[] => [`${tagOf(record)}: ${what}: ${JSON.stringify(record)}`]
    if (record.function === 'told') return state === 'succeeded' ? [] : fault('was told and did not end well')
    const destination = destinationOf(record)
    if (destination === undefined || (!accepted.has(id) && deliveries.length === 0)) {
      return deliveries.length === 0 && !told.has(id) ? [] : fault('there is nobody to be told')
    }
    const [note] = deliveries
    if (deliveries.length !== 1 || note?.destination !== destination || note.state !== 'delivered') {
      return fault(`${destination} is to be told`)
    }
    const times = destination === 'function:told' ? (told.get(id)?.length ?? 0) : Number(jobs.has(`${id}-${note.on}`))
    return times === 1 ? [] : fault(`${destination} was told ${times} times`)
  })
}

function destinationOf({ function: name, state }: InvocationRecord): string | undefined {
  const spec: { onSuccess?: string; onFailure?: string } = FUNCTIONS[name as string as 'work']
  if (state === 'succeeded') return spec.onSuccess
  return state === 'failed' || state === 'expired' ? spec.onFailure : undefined
}

/** What failed for good or was too old has a letter, and nothing else has. */
function judgeLetters({ records, letters, accepted }: Look): string[] {
  const ids = letters.map(({ invocation }) => invocation.id)
  const twice = ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `${id} is a dead letter twice`)
  const wrong = records.flatMap((record) => {
    const { id, state, deadLetteredAt } = record
    const isDead = state === 'failed' || state === 'expired'
    if (isDead && !accepted.has(id) && deadLetteredAt === undefined) return []
    const hasLetter = ids.includes(id)
    if (hasLetter === isDead && (deadLetteredAt !== undefined) === isDead) return []
    const is = hasLetter ? 'is' : 'is not'
    return [`${tagOf(record)}: ${is} in the dead-letter lane: ${JSON.stringify(record)}`]
  })
  return [...twice, ...wrong]
}

/**
 * How many of `capped` ran at the same time, over all processes. A run is over with its process, and when the same
 * invocation runs again: then the lane has counted it out.
 */
function judgeCap({ effects, world }: Look): string[] {
  const { asyncConcurrency } = FUNCTIONS.capped
  const own = effects.filter((effect) => effect.function === 'capped')
  const starts = own.filter(({ kind }) => kind === 'start')
  const spans = starts.map((start) => {
    const same = own.filter(({ id }) => id === start.id)
    const ends = [
      ...same.filter(({ kind, attempt }) => kind === 'end' && attempt === start.attempt),
      ...same.filter((other) => other.kind === 'start' && (other.attempt ?? 0) > (start.attempt ?? 0)),
    ].map(({ at }) => at)
    return { from: start.at, to: Math.min(...ends, world.deaths.get(start.by ?? '') ?? Infinity) }
  })
  const crowd = (at: number): number => spans.filter(({ from, to }) => from <= at && at < to).length
  const most = Math.max(0, ...spans.map(({ from }) => crowd(from)))
  return most > asyncConcurrency ? [`${most} ran at the same time where ${asyncConcurrency} may`] : []
}

/** Put down because it could not be queued, and said so. */
function isRefused({ state, attempts, error }: InvocationRecord): boolean {
  return state === 'failed' && attempts.length === 0 && error?.code === 'store-unavailable'
}

/** Put down and never queued: its client was not promised anything. */
function isOrphan({ accepted, starts }: Look, record: InvocationRecord): boolean {
  return record.state === 'queued' && !accepted.has(record.id) && !starts.has(tagOf(record))
}

function tagOf({ function: name, request, cause }: InvocationRecord): string {
  if (name === 'told') return `told:${cause?.destinationOf}`
  return new URL(request.target, 'http://tag').searchParams.get('tag') ?? request.target
}

async function recordsOf({ store }: World, name: FunctionName, since: number): Promise<InvocationRecord[]> {
  const found = new Map<string, InvocationRecord>()
  for (const state of [undefined, 'queued', 'running'] as const) {
    let cursor: string | undefined
    do {
      const filter = { function: name, since, limit: PAGE, ...(state === undefined ? {} : { state }) }
      const page = await store.records.list({ ...filter, ...(cursor === undefined ? {} : { cursor }) })
      for (const record of page.records) found.set(record.id, record)
      cursor = page.next
    } while (cursor !== undefined)
  }
  // Lists leave something out.
  const whole = await Promise.all([...found.values()].map(({ id }) => store.records.get(id)))
  return whole.filter((record) => record !== undefined)
}

async function lettersOf({ store }: World, name: FunctionName, since: number): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  let cursor: string | undefined
  do {
    const page = await store.deadLetters.list(name, { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
    letters.push(...page.letters)
    cursor = page.next
  } while (cursor !== undefined)
  return letters.filter(({ at }) => at >= since)
}

async function jobsOf({ redisUrl }: World, name: string): Promise<string[]> {
  const queue = new Queue(name, { connection: parseRedisUrl(redisUrl), skipMetasUpdate: true })
  queue.on('error', () => {})
  const jobs = await queue.getJobs(['waiting', 'active', 'completed', 'failed'])
  await queue.close()
  return jobs.flatMap(({ id }) => (id === undefined ? [] : [id]))
}
