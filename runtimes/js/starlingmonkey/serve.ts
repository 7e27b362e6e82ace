// The same as ../serve.ts for StarlingMonkey, whose own web API it uses. One call at a time; a call cannot be told
// that it is cancelled.
import { environment, emitChunk, emitEnd, emitHead } from 'hearth:js/host@0.1.0'
import type { HostRequest, HostResponse } from 'hearth:js/host@0.1.0'

import { contextOf, eventOf, responseOf } from '../event.ts'
import { failureOf } from '../failure.ts'
import { chooseHandler, type Handler } from '../handler.ts'
import { report } from '../web/report.ts'

/** Its world has no `text`. */
type WholeResponse = Omit<HostResponse, 'text'>

const EMPTY = new Uint8Array(0)

/** @throws TypeError when the module exports no handler; at build time, so that the deploy fails */
export function serve(
  module: Readonly<Record<string, unknown>>,
  exportName: string,
): (incoming: HostRequest) => Promise<WholeResponse> {
  const handler = chooseHandler(module, exportName)
  let env: Readonly<Record<string, string>> | undefined
  return async (incoming) => {
    try {
      env ??= Object.freeze(Object.fromEntries(environment()))
      return await answer(handler, incoming, env)
    } catch (thrown) {
      // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- the error of the world's result
      throw failureOf(thrown)
    }
  }
}

async function answer(
  handler: Handler,
  incoming: HostRequest,
  env: Readonly<Record<string, string>>,
): Promise<WholeResponse> {
  const later: Promise<unknown>[] = []
  const waitUntil = (promise: unknown): void =>
    void later.push(Promise.resolve(promise).catch((reason: unknown) => report('waitUntil:', reason)))
  const response = await run(handler, incoming, { env, waitUntil })
  const headers = [...response.headers]
  if (response.body === null && later.length === 0) return { status: response.status, headers, body: EMPTY }
  emitHead(incoming.call, response.status, headers)
  const reader = response.body?.getReader()
  for (let more = reader !== undefined; more;) {
    const chunk = await reader?.read()
    if (chunk?.value !== undefined) emitChunk(incoming.call, chunk.value)
    more = chunk?.done === false
  }
  emitEnd(incoming.call)
  // A promise may add another one.
  for (let index = 0; index < later.length; index++) await later[index]
  return { status: 0, headers: [], body: EMPTY }
}

interface CallInput {
  readonly env: Readonly<Record<string, string>>
  readonly waitUntil: (promise: unknown) => void
}

async function run(handler: Handler, incoming: HostRequest, { env, waitUntil }: CallInput): Promise<Response> {
  const { method, url, headers, body, invocation, attempt, deadline } = incoming
  if (handler.style === 'event') {
    return responseOf(await handler.call(eventOf(body), contextOf(incoming, env, waitUntil)))
  }
  const pairs = headers.map(([name, value]): [string, string] => [name, value])
  const init = { method, headers: pairs }
  const request = new Request(url, body.length === 0 ? init : { ...init, body: new Uint8Array(body) })
  const ctx = { waitUntil, passThroughOnException() {}, invocationId: invocation, attempt, deadline }
  const response = await handler.call(request, env, ctx)
  if (response instanceof Response) return response
  throw new TypeError(
    `the fetch handler must return a Response: received ${response === null ? 'null' : typeof response}`,
  )
}
