// fetch, by the host: it applies the egress policy, follows redirects or does not, and buffers the answer.
import host, { type HostFetched } from 'hearth:js/host@0.1.0'

import { hostValue, requireLive } from '../calls.ts'
import { bodyInMemory, setHeaders, takeBody } from './body.ts'
import { trustedHeaders } from './headers.ts'
import { Request, type RequestInit } from './request.ts'
import { Response, setOrigin } from './response.ts'

const EMPTY = new Uint8Array(0)

/** @throws TypeError when the host refuses or the network fails; the signal's reason when aborted */
export async function fetch(input: unknown, init?: RequestInit): Promise<Response> {
  requireLive('fetch')
  const request = new Request(input, init)
  const { signal } = request
  signal.throwIfAborted()
  const inMemory = bodyInMemory(request)
  const body = inMemory === undefined ? await request.bytes() : takeBody(request)
  const outgoing = {
    call: 0,
    method: request.method,
    url: request.url,
    headers: [...request.headers],
    body: body instanceof Uint8Array ? body : EMPTY,
    invocation: '',
    attempt: 0,
    deadline: 0,
  }
  const answered = hostValue(host.fetch(outgoing, request.redirect))
  const result = await Promise.race([answered, rejectedOnAbort(signal)])
  if (result.tag === 'err') throw new TypeError(result.val)
  return responseOf(result.val)
}

function rejectedOnAbort(signal: Request['signal']): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}

const NULL_BODY = [204, 205, 304]

function responseOf({ status, headers, body, url, redirected }: HostFetched): Response {
  const response = new Response(NULL_BODY.includes(status) ? null : body, { status })
  setHeaders(response, trustedHeaders(headers, true))
  return setOrigin(response, { url, redirected })
}
