// A call with an Idempotency-Key: done once, answered the same to all who send it. It runs to its end even when its
// client goes away, for that client is the one that will ask again.
import type { IncomingMessage, ServerResponse } from 'node:http'

import { PlatformError } from '#core/errors'
import type { Begun, IdempotencyStore } from '#core/idempotency'
import type { FunctionVersion } from '#core/function'
import type { InvocationId } from '#core/ids'
import type { InvocationSink } from '#core/invoker'
import type { StopSource } from '#core/stop-signal'

import { wholeBody } from '../invoke/body.ts'
import { fingerprintOf, functionScope, keyOf } from './fingerprint.ts'
import type { KeyedRequest } from './fingerprint.ts'
import { KeptResponse } from './kept-response.ts'
import { abortSignalOf } from '../running.ts'
import { keyReused } from './keyed-accept.ts'
import { sendStored, storedProblem } from './replay.ts'

export interface KeyedDeps {
  readonly idempotency: IdempotencyStore
  /** Bytes of a body that is read before the call begins. */
  readonly maxRequestBytes: number
  /** Bytes of a body that is kept. */
  readonly maxResponseBytes: number
}

export interface Keyed {
  readonly id: InvocationId
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly stop: StopSource
  readonly version: FunctionVersion
}

/**
 * Answers from what is stored, or has `run` make the call with the whole body.
 * @throws PlatformError what to answer instead
 */
export async function callOnce(
  deps: KeyedDeps,
  call: Keyed,
  run: (body: Uint8Array, once: OnceCall) => Promise<void>,
): Promise<void> {
  const { req, res, version } = call
  const key = { scope: functionScope(version.function), key: keyOf(req) as string }
  const limit = deps.maxRequestBytes
  const body = await wholeBody(req, limit, (bytes) => tooLarge(limit, bytes))
  const keyed: KeyedRequest = { key, fingerprint: fingerprintOf(req.method as string, req.url as string, body) }
  const found = await begin(deps.idempotency, keyed, call)
  switch (found.kind) {
    case 'mismatch':
      throw keyReused(found.invocation)
    case 'done':
      return sendStored(res, found.response)
    case 'first':
      return run(body, new OnceCall(deps, keyed, call))
    default:
      return found satisfies never
  }
}

/** What the one call that is made does with its answer. */
export class OnceCall {
  readonly #deps: KeyedDeps
  readonly #keyed: KeyedRequest
  readonly #call: Keyed
  #kept: KeptResponse | undefined

  constructor(deps: KeyedDeps, keyed: KeyedRequest, call: Keyed) {
    this.#deps = deps
    this.#keyed = keyed
    this.#call = call
  }

  /** Where the function is to answer to. */
  keep(client: InvocationSink): InvocationSink {
    this.#kept = new KeptResponse(client, this.#deps.maxResponseBytes)
    return this.#kept
  }

  /**
   * To be called when the call is over and before its end is told. Never rejects: when Redis is away the client has its
   * answer all the same, and the key is free again when its lease is over.
   * @param error what is answered unless the function has
   */
  async settle(error: PlatformError | undefined): Promise<void> {
    const { idempotency } = this.#deps
    const { key } = this.#keyed
    try {
      const answer = this.#kept?.begun === true ? this.#answerOfFunction(this.#kept) : error
      if (answer === undefined || isPassing(answer)) await idempotency.abandon(key)
      else if (answer instanceof PlatformError) await idempotency.finish(key, this.#problem(answer))
      else await idempotency.finish(key, answer)
    } catch {}
    this.#kept?.release()
  }

  #answerOfFunction({ stored }: KeptResponse) {
    if (typeof stored === 'string') return notKept(this.#call.id, stored)
    return { ...stored, headers: [...stored.headers, ...this.#callHeaders()] }
  }

  #problem(error: PlatformError) {
    return storedProblem(error, this.#call.id, this.#callHeaders())
  }

  #callHeaders(): [string, string][] {
    const { id, version } = this.#call
    return [
      ['hearth-invocation-id', id],
      ['hearth-version', String(version.number)],
    ]
  }
}

/** Waits while another one makes the call. */
async function begin(
  idempotency: IdempotencyStore,
  { key, fingerprint }: KeyedRequest,
  { id, stop }: Keyed,
): Promise<Exclude<Begun, { kind: 'running' }>> {
  const found = await idempotency.begin(key, fingerprint, id)
  if (found.kind !== 'running') return found
  const settled = await idempotency.settled(key, fingerprint, id, abortSignalOf(stop))
  if (settled.kind === 'running') throw new Error('a key is settled when it is no longer running')
  return settled
}

/** What a later try may not meet with any more. A cancelled call was to be undone, not to be kept. */
function isPassing(answer: object): boolean {
  return answer instanceof PlatformError && (answer.retryable || answer.code === 'cancelled')
}

function notKept(id: InvocationId, why: string): PlatformError {
  return new PlatformError('response-not-kept', {
    detail: `the response of the first request is not kept: ${why}`,
    members: { invocation: id },
  })
}

function tooLarge(limit: number, bytes: number): PlatformError {
  return new PlatformError('payload-too-large', {
    detail: `with an Idempotency-Key a body has at most ${limit} bytes (HEARTH_MAX_ASYNC_BODY_BYTES): received ${bytes}`,
    members: { limit },
  })
}
