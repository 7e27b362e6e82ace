// ANY /fn/{name}[@version]/{path…}: the sync path. It works on the bare request and response of node:http: here every
// microsecond and every byte of the path counts, and a router has nothing to add. What need not wait does not become a
// promise for the same reason.
import type { IncomingMessage, ServerResponse } from 'node:http'

import { asPlatformError, PlatformError } from '#core/errors'
import type { FunctionVersion } from '#core/function'
import { newInvocationId } from '#core/ids'
import type { InvocationId } from '#core/ids'
import type { Body, Invocation } from '#core/invocation'
import type { Completion } from '#core/invoker'
import { describeOutcome, errorCodeOf } from '#core/outcome'
import type { Outcome } from '#core/outcome'
import type { RecordResult } from '#core/record'

import { unauthorized } from '../auth.ts'
import { callOnce } from '../idempotency/keyed-call.ts'
import type { KeyedDeps, OnceCall } from '../idempotency/keyed-call.ts'
import { releaseBody, requestBody } from '../invoke/body.ts'
import { HttpResponse } from '../invoke/http-response.ts'
import type { SyncRecord } from '../invoke/sync-records.ts'
import { parseTarget } from '../invoke/target.ts'
import { sendProblem } from '../problem.ts'
import { shuttingDown } from '../running.ts'
import type { RunningRequest } from '../running.ts'
import type { GatewayContext } from './context.ts'

interface Incoming {
  readonly id: InvocationId
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly running: RunningRequest
}

/** Answers a request whose target starts with FUNCTION_PREFIX. Never throws. */
export function handleInvoke(context: GatewayContext, req: IncomingMessage, res: ServerResponse): void {
  const running = context.running.begin(res)
  const incoming: Incoming = { id: newInvocationId(), req, res, running }
  running.invocation = incoming.id
  try {
    if (context.running.draining) throw shuttingDown()
    const { selector, target } = parseTarget(req.url as string)
    const found = context.directory.resolve(selector)
    if (found instanceof Promise) void acceptLater(context, incoming, found, target)
    else accept(context, incoming, found, target)
  } catch (thrown) {
    answerError(context, incoming, thrown)
  }
}

async function acceptLater(
  context: GatewayContext,
  incoming: Incoming,
  finding: Promise<FunctionVersion>,
  target: string,
): Promise<void> {
  try {
    accept(context, incoming, await finding, target)
  } catch (thrown) {
    answerError(context, incoming, thrown)
  }
}

/** @throws PlatformError */
function accept(context: GatewayContext, incoming: Incoming, version: FunctionVersion, target: string): void {
  const { options } = context
  const { id, req, running } = incoming
  const tokenOnly = version.spec.auth === 'token'
  if (tokenOnly && !context.isAdmin(req.headers.authorization)) throw unauthorized(req.headers.authorization)
  const { origin, headers, headersJson, bodyBytes, keyed } = context.forwarder.forward(req, tokenOnly)
  const run = (body: Body, once?: OnceCall): Promise<void> => {
    const request = { method: req.method as string, target, origin, headers, headersJson, body }
    const acceptedAt = context.deps.clock.now()
    const invocation: Invocation = { id, version, trigger: 'http', request, attempt: 1, acceptedAt }
    return new SyncCall(context, incoming, invocation, once).run()
  }
  if (keyed) return void runOnce(context, incoming, version, run)
  const body = requestBody(req, bodyBytes, { limits: options, stop: running.stop })
  if (body instanceof Promise) body.then(run, (error: unknown) => answerError(context, incoming, error))
  else void run(body)
}

/** With an Idempotency-Key. Never rejects. */
async function runOnce(
  context: GatewayContext,
  incoming: Incoming,
  version: FunctionVersion,
  run: (body: Uint8Array, once: OnceCall) => Promise<void>,
): Promise<void> {
  const { deps, options, running: requests } = context
  const { running } = incoming
  const keyed: KeyedDeps = {
    idempotency: deps.idempotency,
    maxRequestBytes: options.maxAsyncBodyBytes,
    maxResponseBytes: options.maxResultBytes,
  }
  try {
    await callOnce(keyed, { ...incoming, stop: running.stop, version }, async (body, once) => {
      using _held = requests.hold(running)
      await run(body, once)
    })
  } catch (thrown) {
    answerError(context, incoming, thrown)
  }
}

/** One call from its acceptance to its answer. */
class SyncCall {
  readonly #context: GatewayContext
  readonly #incoming: Incoming
  readonly #invocation: Invocation
  readonly #record: SyncRecord
  readonly #response: HttpResponse
  readonly #once: OnceCall | undefined

  constructor(context: GatewayContext, incoming: Incoming, invocation: Invocation, once: OnceCall | undefined) {
    this.#context = context
    this.#incoming = incoming
    this.#invocation = invocation
    this.#record = context.records.begin(invocation)
    this.#response = new HttpResponse(incoming.res, invocation, context.responses, this.#record)
    this.#once = once
  }

  /** Never rejects. */
  async run(): Promise<void> {
    const { invoker } = this.#context.deps
    const { stop } = this.#incoming.running
    const sink = this.#once?.keep(this.#response) ?? this.#response
    try {
      const completion = await invoker.invoke(this.#invocation, sink, stop)
      if (this.#once !== undefined) await this.#once.settle(this.#problemOf(completion.outcome))
      this.#completed(completion)
    } catch (thrown) {
      const error = asPlatformError(stop.aborted ? stop.reason : thrown)
      if (this.#once !== undefined) await this.#once.settle(error)
      this.#failed(error, thrown)
    }
    releaseBody(this.#invocation.request.body)
  }

  #completed(completion: Completion): void {
    this.#context.metrics.completed(this.#invocation.version.function, completion)
    this.#record.completed(completion, resultOf(this.#response))
    this.#finish(completion)
  }

  /** What is left to say when the invocation is over: nothing, when the function has answered. */
  #finish({ outcome, timings }: Completion): void {
    const response = this.#response
    const { id, req, res } = this.#incoming
    if (response.complete || res.destroyed) return
    if (!response.untouched) return response.break()
    const error = this.#problemOf(outcome)
    if (error.code === 'internal') this.#context.deps.onFault(error, id)
    sendProblem(req, res, error, { id, headers: response.platformHeaders(timings.runMs) })
  }

  /** What is answered when the function has not. */
  #problemOf(outcome: Outcome): PlatformError {
    const code = errorCodeOf(outcome)
    if (this.#response.refused !== undefined) return this.#response.refused
    if (code === undefined) {
      return new PlatformError('internal', { detail: 'the function responded without a response' })
    }
    const { reason } = this.#incoming.running.stop
    // A cancelled call has a reason that the client should hear: a body too large, a shutdown.
    if (code === 'cancelled' && reason instanceof PlatformError) return reason
    return new PlatformError(code, { detail: describeOutcome(outcome) })
  }

  /** The platform failed it. */
  #failed(error: PlatformError, thrown: unknown): void {
    const { id, req, res } = this.#incoming
    const response = this.#response
    this.#context.metrics.refused(this.#invocation.version.function)
    if (error.code === 'internal') this.#context.deps.onFault(thrown, id)
    this.#record.failed(error)
    if (res.destroyed || response.complete) return
    if (response.untouched) sendProblem(req, res, error, { id, headers: response.platformHeaders() })
    else response.break()
  }
}

/** Of what has not become a call. */
function answerError(context: GatewayContext, { req, res, id }: Incoming, thrown: unknown): void {
  const error = asPlatformError(thrown)
  if (error.code === 'internal') context.deps.onFault(thrown, id)
  if (res.destroyed || res.headersSent) return
  sendProblem(req, res, error, { id, headers: ['hearth-invocation-id', id] })
}

function resultOf(response: HttpResponse): RecordResult | undefined {
  const { sent } = response
  if (sent === undefined) return undefined
  return { status: sent.head.status, headers: sent.head.headers, bodyBytes: sent.bodyBytes }
}
