// Sends calls when a clock says that they are due, and keeps what became of each.
import http from 'node:http'

import { type Clock, sleep } from '#core/clock'

export interface Due {
  /** ms of the clock, since the epoch. */
  readonly at: number
  readonly url: string
  /** Not told of calls that were sent while another one to the URL was under way: as in the replay, they start nothing. */
  readonly onCold: () => void
}

export interface Sent {
  readonly failed: number
  /** How much later than due each call was sent, ms of the clock. */
  readonly lateMs: readonly number[]
}

const never = new AbortController().signal

/** Resolves when all are answered. @param onSent told of every 100th part */
export async function sendAll(calls: readonly Due[], clock: Clock, onSent: (percent: number) => void): Promise<Sent> {
  const inOrder = calls.toSorted((a, b) => a.at - b.at)
  const step = Math.max(1, Math.floor(inOrder.length / 100))
  await using agent = opened(new http.Agent({ keepAlive: true }))
  const answers: Promise<boolean>[] = []
  const lateMs: number[] = []
  const underWay = new Map<string, number>()
  for (const [index, call] of inOrder.entries()) {
    const waitMs = call.at - clock.now()
    if (waitMs > 0) await sleep(waitMs, never, clock)
    lateMs.push(Math.max(0, clock.now() - call.at))
    answers.push(counted(call, agent.agent, underWay))
    if (index % step === 0) onSent(Math.floor(index / step))
  }
  const outcomes = await Promise.all(answers)
  return { failed: outcomes.filter((ok) => !ok).length, lateMs }
}

async function counted(call: Due, agent: http.Agent, underWay: Map<string, number>): Promise<boolean> {
  const before = underWay.get(call.url) ?? 0
  underWay.set(call.url, before + 1)
  const start = await startOf(call.url, agent)
  underWay.set(call.url, underWay.get(call.url)! - 1)
  if (before === 0 && start !== 'warm') call.onCold()
  return start !== undefined
}

/** What the answer says of its sandbox; undefined when the call failed. */
function startOf(url: string, agent: http.Agent): Promise<string | undefined> {
  return new Promise((resolve) => {
    const fail = (reason: string): void => {
      console.error(`${url}: ${reason}`)
      resolve(undefined)
    }
    const request = http.get(url, { agent }, (response) => {
      response.resume()
      response.once('error', (error) => fail(error.message))
      response.once('end', () => {
        if (response.statusCode === 200) resolve(String(response.headers['hearth-start']))
        else fail(`${response.statusCode} ${String(response.headers['hearth-error'] ?? '')}`)
      })
    })
    request.once('error', (error) => fail(error.message))
  })
}

function opened(agent: http.Agent): AsyncDisposable & { readonly agent: http.Agent } {
  return { agent, [Symbol.asyncDispose]: async () => agent.destroy() }
}
