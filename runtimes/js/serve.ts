// START HERE. Turns the user's module into the `handle` of wit/function.wit, on QuickJS with our own web API.
import host, { type HostRequest, type HostResponse } from 'hearth:js/host@0.1.0'

import { beginCall, endCall, hostValue, watchCancel } from './calls.ts'
import { contextOf, eventOf, responseOf } from './event.ts'
import { failureOf } from './failure.ts'
import { chooseHandler, type Handler } from './handler.ts'
import { bodyInMemory, checkedChunk, headerPairs, wholeBody } from './web/body.ts'
import { INCOMING, Request, signalsBy } from './web/request.ts'
import { Response } from './web/response.ts'
import { report } from './web/report.ts'

const EMPTY = new Uint8Array(0)
const STREAMED: HostResponse = { status: 0, headers: [], body: EMPTY, text: '' }
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
  signalsBy(watchCancel)
  let env: Environment | undefined
  // Not async, nor is anything that it calls before the handler has answered: each hop costs a microsecond of a call that
  // takes fifteen.
  return (incoming) => {
    const { call } = incoming
    beginCall(call)
    try {
      env ??= Object.freeze(Object.fromEntries(host.environment()))
      const chosen = call === REHEARSAL_CALL ? REHEARSED : handler
      const later = new Later()
      const answer =
        chosen.style === 'event'
          ? chosen.call(
              eventOf(incoming.body),
              contextOf(incoming, env, (promise) => later.add(promise)),
            )
          : chosen.call(new Request(incoming, INCOMING), env, new Context(incoming, later))
      if (isThenable(answer)) return answerLater({ call, chosen, answer, later })
      const response = checkedResponse(chosen, answer)
      const whole = later.empty ? wholeResponse(response) : undefined
      if (whole === undefined) return answerLater({ call, chosen, answer: response, later })
      endCall(call)
      return Promise.resolve(whole)
    } catch (thrown) {
      endCall(call)
      return Promise.reject(failureOf(thrown))
    }
  }
}

type Environment = Readonly<Record<string, string>>

interface Answering {
  readonly call: number
  readonly chosen: Handler
  readonly answer: unknown
  readonly later: Later
}

async function answerLater({ call, chosen, answer, later }: Answering): Promise<HostResponse> {
  try {
    const response = checkedResponse(chosen, await answer)
    return (later.empty ? wholeResponse(response) : undefined) ?? (await emit(call, response, later))
  } catch (thrown) {
    // A rejected export must carry the record of the world, else the instance traps.
    // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- the error of the world's result
    throw failureOf(thrown)
  } finally {
    endCall(call)
  }
}

/** What runs on after the response. */
class Later {
  #promises: Promise<unknown>[] | undefined

  get empty(): boolean {
    return this.#promises === undefined
  }

  add(promise: unknown): void {
    const promises = (this.#promises ??= [])
    promises.push(Promise.resolve(promise).catch(logged))
  }

  async end(): Promise<void> {
    const promises = this.#promises ?? []
    // A promise may add another one.
    for (let index = 0; index < promises.length; index++) await promises[index]
  }
}

/** The third argument of a fetch handler. */
class Context {
  readonly invocationId: string
  readonly attempt: number
  readonly deadline: number
  readonly #later: Later

  constructor({ invocation, attempt, deadline }: HostRequest, later: Later) {
    this.invocationId = invocation
    this.attempt = attempt
    this.deadline = deadline
    this.#later = later
  }

  /** Bound: handlers take it apart. */
  get waitUntil(): (promise: unknown) => void {
    return (promise) => this.#later.add(promise)
  }

  passThroughOnException(): void {}
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

/** Undefined when the response is a stream. */
function wholeResponse(response: Response): HostResponse | undefined {
  const body = wholeBody(response)
  if (body === undefined) return undefined
  const { status } = response
  if (typeof body !== 'string') return { status, headers: headerPairs(response), body: body ?? EMPTY, text: '' }
  return { status, headers: headerPairs(response), body: EMPTY, text: body.toWellFormed() }
}

function checkedResponse(handler: Handler, value: unknown): Response {
  if (handler.style === 'event') return responseOf(value) as unknown as Response
  if (value instanceof Response) return value
  throw new TypeError(`the fetch handler must return a Response: received ${value === null ? 'null' : typeof value}`)
}

/** A response that is given in pieces, or before the call is over. */
async function emit(call: number, response: Response, later: Later): Promise<HostResponse> {
  host.emitHead(call, response.status, headerPairs(response))
  const body = bodyInMemory(response)
  if (body === undefined) await emitStream(call, response)
  else if (body !== null) host.emitChunk(call, body)
  host.emitEnd(call)
  await later.end()
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

function logged(reason: unknown): void {
  report('waitUntil:', reason)
}
