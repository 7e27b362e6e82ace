// START HERE. Turns the user's module into the `handle` of wit/function.wit, on QuickJS with our own web API.
import host, { type HostRequest, type HostResponse } from 'hearth:js/host@0.1.0'

import { beginCall, endCall, hostValue } from './calls.ts'
import { contextOf, eventOf, responseOf } from './event.ts'
import { failureOf } from './failure.ts'
import { chooseHandler, type Handler } from './handler.ts'
import { bodyInMemory, checkedChunk } from './web/body.ts'
import { lazySignal, type AbortSignal } from './web/events.ts'
import { pairsOf } from './web/headers.ts'
import { Incoming, Request } from './web/request.ts'
import { Response } from './web/response.ts'
import { report } from './web/report.ts'

const EMPTY = new Uint8Array(0)
const STREAMED: HostResponse = { status: 0, headers: [], body: EMPTY }
/** What the host calls before it takes the image of an instance: all runs but the user's code. Real calls count from 1. */
const REHEARSAL_CALL = 0
const REHEARSED: Handler = { style: 'fetch', call: () => new Response('rehearsed') }
/** Bytes of a stream after which the host gets a turn, so that they leave the sandbox. */
const TURN_BYTES = 65_536

/**
 * The export of the component. What it throws is the `failure` of the world.
 * @throws TypeError when the module exports no handler; at build time, so that the deploy fails
 */
export function serve(
  module: Readonly<Record<string, unknown>>,
  exportName: string,
): (incoming: HostRequest) => Promise<HostResponse> {
  const handler = chooseHandler(module, exportName)
  let env: Environment | undefined
  return async (incoming) => {
    beginCall(incoming.call)
    try {
      env ??= Object.freeze(Object.fromEntries(host.environment()))
      const later: Promise<unknown>[] = []
      const waitUntil = (promise: unknown): void => void later.push(Promise.resolve(promise).catch(logged))
      const chosen = incoming.call === REHEARSAL_CALL ? REHEARSED : handler
      // Awaited here and not in functions of its own: each hop more costs a microsecond of a call that takes twenty.
      const answer =
        chosen.style === 'event'
          ? callEvent(chosen, incoming, env, waitUntil)
          : callFetch(chosen, incoming, env, waitUntil)
      const response = checkedResponse(chosen, await answer)
      const body = bodyInMemory(response)
      if (body === undefined || later.length > 0) return await emit(incoming.call, response, later)
      return { status: response.status, headers: pairsOf(response.headers), body: body ?? EMPTY }
    } catch (thrown) {
      // A rejected export must carry the record of the world, else the instance traps.
      // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- the error of the world's result
      throw failureOf(thrown)
    } finally {
      endCall(incoming.call)
    }
  }
}

type Environment = Readonly<Record<string, string>>
type WaitUntil = (promise: unknown) => void

function callEvent(handler: Handler, incoming: HostRequest, env: Environment, waitUntil: WaitUntil): unknown {
  return handler.call(eventOf(incoming.body), contextOf(incoming, env, waitUntil))
}

function callFetch(handler: Handler, incoming: HostRequest, env: Environment, waitUntil: WaitUntil): unknown {
  const ctx = {
    waitUntil,
    passThroughOnException() {},
    invocationId: incoming.invocation,
    attempt: incoming.attempt,
    deadline: incoming.deadline,
  }
  return handler.call(new Request(new Incoming(incoming, signalOf)), env, ctx)
}

function signalOf({ call }: HostRequest): AbortSignal {
  return lazySignal((abort) => watchCancel(call, abort))
}

function checkedResponse(handler: Handler, value: unknown): Response {
  if (handler.style === 'event') return responseOf(value) as unknown as Response
  if (value instanceof Response) return value
  throw new TypeError(`the fetch handler must return a Response: received ${value === null ? 'null' : typeof value}`)
}

/** A response that is given in pieces, or before the call is over. */
async function emit(call: number, response: Response, later: readonly Promise<unknown>[]): Promise<HostResponse> {
  host.emitHead(call, response.status, pairsOf(response.headers))
  const body = bodyInMemory(response)
  if (body === undefined) await emitStream(call, response)
  else if (body !== null) host.emitChunk(call, body)
  host.emitEnd(call)
  // A promise may add another one.
  for (let index = 0; index < later.length; index++) await later[index]
  return STREAMED
}

async function emitStream(call: number, response: Response): Promise<void> {
  const reader = response.body?.getReader()
  if (reader === undefined) return
  watchCancel(call, (reason) => void reader.cancel(reason).catch(() => {}))
  let sinceTurn = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const bytes = checkedChunk(value)
    if (bytes.length > 0) host.emitChunk(call, bytes)
    sinceTurn += bytes.length
    if (sinceTurn < TURN_BYTES) continue
    sinceTurn = 0
    await hostValue(host.sleep(0))
  }
}

function watchCancel(call: number, abort: (reason: unknown) => void): void {
  hostValue(host.cancelled(call)).then(
    (cancelled) => {
      if (cancelled === 1) abort(new DOMException('The call was cancelled', 'AbortError'))
    },
    () => {
      // The call is over.
    },
  )
}

function logged(reason: unknown): void {
  report('waitUntil:', reason)
}
