// Sends calls when a clock says that they are due, and keeps what became of each.
import http from 'node:http'

import { type Clock, sleep } from '#core/clock'

export interface Due {
  /** ms of the clock, since the epoch. */
  readonly at: number
  readonly url: string
  readonly onAnswer: (start: string) => void
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
  for (const [index, call] of inOrder.entries()) {
    const waitMs = call.at - clock.now()
    if (waitMs > 0) await sleep(waitMs, never, clock)
    lateMs.push(Math.max(0, clock.now() - call.at))
    answers.push(answered(call, agent.agent))
    if (index % step === 0) onSent(Math.floor(index / step))
  }
  const outcomes = await Promise.all(answers)
  return { failed: outcomes.filter((ok) => !ok).length, lateMs }
}

function answered({ url, onAnswer }: Due, agent: http.Agent): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get(url, { agent }, (response) => {
      response.resume()
      response.once('error', () => resolve(false))
      response.once('end', () => {
        if (response.statusCode === 200) onAnswer(String(response.headers['hearth-start']))
        else console.error(`${url} answered ${response.statusCode} ${String(response.headers['hearth-error'] ?? '')}`)
        resolve(response.statusCode === 200)
      })
    })
    request.once('error', (error) => {
      console.error(`${url}: ${error.message}`)
      resolve(false)
    })
  })
}

function opened(agent: http.Agent): AsyncDisposable & { readonly agent: http.Agent } {
  return { agent, [Symbol.asyncDispose]: async () => agent.destroy() }
}
