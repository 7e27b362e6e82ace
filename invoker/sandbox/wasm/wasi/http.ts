// wasi:http for guests of the Wasm host. Requests that go out do so through the sandbox's egress.
import type { Egress, EgressResponse } from '../host/guest.ts'
import { FutureTrailers, IncomingBody, OutgoingBody } from './http-bodies.ts'
import { Fields } from './http-fields.ts'
import {
  IncomingRequest,
  IncomingResponse,
  methodName,
  OutgoingRequest,
  OutgoingResponse,
  RequestOptions,
  ResponseOutparam,
} from './http-messages.ts'
import { Pollable, sourceOf } from './io.ts'
import type { Waits } from './waits.ts'

export interface HttpOptions {
  readonly egress: Egress
  readonly waits: Waits
}

/** result<incoming-response, error-code> within result<_> within option: there, taken for the first time. */
type Answer = { tag: 'ok'; val: { tag: 'ok'; val: IncomingResponse } | { tag: 'err'; val: object } } | { tag: 'err' }

class FutureIncomingResponse {
  readonly #arrived: Promise<void>
  #result: EgressResponse | string | undefined
  #taken = false

  constructor(response: Promise<EgressResponse | string>, waits: Waits) {
    this.#arrived = waits.until(
      response.then((result) => {
        this.#result = result
        return undefined
      }),
    )
    // Whoever waits hears of it; when nobody does, nobody must.
    this.#arrived.catch(() => {})
  }

  subscribe(): Pollable {
    return new Pollable(
      () => this.#result !== undefined,
      () => this.#arrived,
    )
  }

  get(): Answer | undefined {
    const result = this.#result
    if (result === undefined) return undefined
    if (this.#taken) return { tag: 'err' }
    this.#taken = true
    if (typeof result === 'string')
      return { tag: 'ok', val: { tag: 'err', val: { tag: 'internal-error', val: result } } }
    const response = new IncomingResponse(result.status, result.headers, sourceOf(result.body))
    return { tag: 'ok', val: { tag: 'ok', val: response } }
  }
}

export function httpImports({ egress, waits }: HttpOptions): Record<string, object> {
  const send = async (request: OutgoingRequest): Promise<EgressResponse | string> => {
    const body = await waits.until(collectBody(request))
    const headers = request.headers().pairs()
    const method = methodName(request.method())
    return egress.fetch({ method, url: request.url(), headers, body, redirect: 'manual' }, waits.signal)
  }
  return {
    'wasi:http/types': {
      Fields,
      FutureIncomingResponse,
      FutureTrailers,
      IncomingBody,
      IncomingRequest,
      IncomingResponse,
      OutgoingBody,
      OutgoingRequest,
      OutgoingResponse,
      RequestOptions,
      ResponseOutparam,
      httpErrorCode: () => undefined,
    },
    'wasi:http/outgoing-handler': {
      handle: (request: OutgoingRequest) => new FutureIncomingResponse(send(request), waits),
    },
  }
}

function collectBody(request: OutgoingRequest): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  return new Promise((resolve) => {
    request.sendBodyTo({
      write(bytes) {
        chunks.push(bytes)
        return undefined
      },
      end: () => resolve(Buffer.concat(chunks)),
    })
  })
}
