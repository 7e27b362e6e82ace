// Sends what a round has planned, as a careful client would: what has a key is sent again until it is answered, what has
// none only when it cannot have arrived. Keeps an account of what it was promised.
import { sleep, systemClock } from '#core/clock'

import type { Request, Sending } from './plan.ts'
import type { World } from './world.ts'

/** What a client knows of one of its requests. */
export interface Account {
  readonly request: Request
  /** Ids that it was promised, with a 202 or in the answer to a batch. More than one is a fault. */
  readonly ids: Set<string>
  /** When it was first sent, ms since the epoch. */
  sentAt: number
  /** Told that it is cancelled (200), that it will be, or that it is over. */
  cancelled?: { readonly answer: 'cancelled' | 'cancelling' | 'over'; readonly at: number }
  /** Was asked to be cancelled, and has perhaps been. */
  cancelAsked: boolean
  /** Why it gave up. */
  fault?: string
}

const ANSWER_MS = 20_000
const AGAIN_MS = 50
/** A client that is sent away for so long gives up. */
const PATIENCE_MS = 120_000

export function accountsOf(sendings: readonly Sending[]): Account[] {
  return sendings.flatMap(({ requests }) =>
    requests.map((request) => ({ request, ids: new Set<string>(), sentAt: 0, cancelAsked: false })),
  )
}

/** Resolves when all were answered, or given up. */
export async function sendAll(world: World, sendings: readonly Sending[], accounts: readonly Account[]): Promise<void> {
  const byTag = new Map(accounts.map((account) => [account.request.tag, account]))
  await Promise.all(
    sendings.map(async (sending) => {
      const own = sending.requests.map(({ tag }) => byTag.get(tag) as Account)
      await pause(sending.atMs)
      for (const account of own) account.sentAt = systemClock.now()
      await (sending.isBatch ? sendBatch(world, own) : sendOne(world, own[0] as Account))
      await Promise.all(own.map((account) => cancel(world, account)))
    }),
  )
}

async function sendOne(world: World, account: Account): Promise<void> {
  const { request } = account
  const { tag, keyed, bodyBytes } = request
  const query = new URLSearchParams(Object.entries(optionsOf(request)).map(([name, value]) => [name, String(value)]))
  const path = `/v1/functions/${request.function}/invocations?${query.toString()}`
  const init = { headers: keyed ? { 'idempotency-key': tag } : {}, body: 'x'.repeat(bodyBytes) }
  const answer = await post(world, path, init, keyed)
  if (answer?.status === 202) account.ids.add((answer.json as { id: string }).id)
  else if (keyed || answer?.isRefusal === true) account.fault = faultOf(answer)
}

interface BatchAnswer {
  readonly invocations: readonly { readonly id?: string; readonly error?: { readonly code: string } }[]
}

async function sendBatch(world: World, accounts: readonly Account[]): Promise<void> {
  const [first] = accounts
  if (first === undefined) return
  const until = systemClock.monotonic() + PATIENCE_MS
  const { keyed } = first.request
  // All lines go to one function: that of the first.
  const path = `/v1/functions/${first.request.function}/invocations/batch`
  const body = accounts.map(({ request }) => JSON.stringify(lineOf(request))).join('\n')
  for (;;) {
    const answer = await post(world, path, { body }, keyed)
    if (answer?.status !== 200) {
      const isFault = keyed || answer?.isRefusal === true
      for (const account of isFault ? accounts : []) account.fault = faultOf(answer)
      return
    }
    const { invocations } = answer.json as BatchAnswer
    for (const [index, { id }] of invocations.entries()) if (id !== undefined) accounts[index]?.ids.add(id)
    if (!keyed || invocations.every(({ id }) => id !== undefined)) return
    if (systemClock.monotonic() > until) return
    await pause(AGAIN_MS)
  }
}

async function cancel(world: World, account: Account): Promise<void> {
  const wish = account.request.cancel
  const [id] = account.ids
  if (wish === undefined || id === undefined) return
  await pause(wish.afterMs)
  account.cancelAsked = true
  const answer = await post(world, `/v1/invocations/${id}/cancel`, {}, wish.insist)
  const at = systemClock.now()
  if (answer?.status === 200) account.cancelled = { answer: 'cancelled', at }
  if (answer?.status === 202) account.cancelled = { answer: 'cancelling', at }
  if (answer?.status === 409) account.cancelled = { answer: 'over', at }
  if (answer?.status === 404) account.fault = `the cancel of ${id} was answered 404`
}

interface Answer {
  readonly status: number
  readonly json: unknown
  /** It was answered, and sending it again would not help. */
  readonly isRefusal: boolean
}

/** @param again until there is an answer. Without it undefined when nobody knows what became of it. */
async function post(
  world: World,
  path: string,
  init: { readonly headers?: Record<string, string>; readonly body?: string },
  again: boolean,
): Promise<Answer | undefined> {
  const until = systemClock.monotonic() + PATIENCE_MS
  const headers = { authorization: `Bearer ${world.token}`, ...init.headers }
  for (;;) {
    try {
      const signal = AbortSignal.timeout(ANSWER_MS)
      const response = await fetch(world.url() + path, { method: 'POST', ...init, headers, signal })
      const json: unknown = await response.json()
      const isRefusal = response.status >= 400 && response.status <= 500
      if (response.ok || isRefusal) return { status: response.status, json, isRefusal }
      if (!again) return undefined
    } catch (error) {
      if (!again && !isRefusedConnection(error)) return undefined
    }
    if (systemClock.monotonic() > until) return undefined
    await pause(AGAIN_MS)
  }
}

function isRefusedConnection(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: string } }
  return cause?.code === 'ECONNREFUSED'
}

function faultOf(answer: Answer | undefined): string {
  return answer === undefined ? 'it was never answered' : `${answer.status} ${JSON.stringify(answer.json)}`
}

/** Without those that are as by default. */
function optionsOf({ tag, ms, fails, delayMs, priority, maxAgeMs }: Request): Record<string, string | number> {
  return {
    path: `/?tag=${tag}&ms=${ms}&fails=${fails}`,
    ...(delayMs === 0 ? {} : { delayMs }),
    ...(priority === 0 ? {} : { priority }),
    ...(maxAgeMs === 0 ? {} : { maxAgeMs }),
  }
}

function lineOf(request: Request): Record<string, unknown> {
  const { tag, keyed, bodyBytes } = request
  return { ...optionsOf(request), body: 'x'.repeat(bodyBytes), ...(keyed ? { idempotencyKey: tag } : {}) }
}

export function pause(ms: number): Promise<void> {
  return sleep(ms, new AbortController().signal)
}
