// ANY /fn/{name}[@version]/{path…}: the sync path. It works on the bare request and response of node:http: here every
// microsecond and every byte of the path counts, and a router has nothing to add.
import type { IncomingMessage, ServerResponse } from 'node:http'

import { asPlatformError, PlatformError } from '#core/errors'
import type { FunctionVersion } from '#core/function'
import { newInvocationId } from '#core/ids'
import type { InvocationId } from '#core/ids'
import type { Invocation } from '#core/invocation'
import type { Completion } from '#core/invoker'
import { checkHeaders } from '#core/limits'
import { describeOutcome, errorCodeOf } from '#core/outcome'
import type { RecordResult } from '#core/record'

import { unauthorized } from '../auth.ts'
import { clientGone, releaseBody, requestBody } from '../invoke/body.ts'
import { forwardRequest } from '../invoke/headers.ts'
import { HttpResponse } from '../invoke/http-response.ts'
import type { SyncRecord } from '../invoke/sync-records.ts'
import { parseTarget } from '../invoke/target.ts'
import { sendProblem } from '../problem.ts'
import { shuttingDown } from '../running.ts'
import type { GatewayContext } from './context.ts'

/** Answers a request whose target starts with FUNCTION_PREFIX. Never rejects. */
export async function handleInvoke(context: GatewayContext, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const id = newInvocationId()
  const { running } = context
  const controller = running.begin(res)
  res.once('close', () => {
    if (!res.writableFinished) controller.abort(clientGone())
    running.end(res)
  })
  try {
    if (running.draining) throw shuttingDown()
    const { selector, target } = parseTarget(req.url as string)
    const found = context.directory.resolve(selector)
    const version = found instanceof Promise ? await found : found
    const invocation = await accept(context, req, { id, version, target, controller })
    await run(context, { req, res, invocation, controller })
  } catch (thrown) {
    answerError(context, { req, res, id }, thrown)
  }
}

interface Accepted {
  readonly id: InvocationId
  readonly version: FunctionVersion
  readonly target: string
  readonly controller: AbortController
}

async function accept(context: GatewayContext, req: IncomingMessage, accepted: Accepted): Promise<Invocation> {
  const { id, version, target, controller } = accepted
  const { options } = context
  const tokenOnly = version.spec.auth === 'token'
  if (tokenOnly && !context.isAdmin(req.headers.authorization)) throw unauthorized(req.headers.authorization)
  const { origin, headers } = forwardRequest(req, { trustProxy: options.trustProxy, hideAuthorization: tokenOnly })
  checkHeaders(headers, options)
  const coming = requestBody(req, options, (error) => controller.abort(error))
  const body = coming instanceof Promise ? await coming : coming
  return {
    id,
    version,
    trigger: 'http',
    request: { method: req.method as string, target, origin, headers, body },
    attempt: 1,
    acceptedAt: context.deps.clock.now(),
  }
}

interface Call {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly invocation: Invocation
  readonly controller: AbortController
}

async function run(context: GatewayContext, call: Call): Promise<void> {
  const { deps, metrics } = context
  const { invocation, controller, res } = call
  const name = invocation.version.function
  const record = context.records.begin(invocation)
  const response = new HttpResponse(res, invocation, deps.clock, (line) => record.log(line))
  let completion: Completion
  try {
    completion = await deps.invoker.invoke(invocation, response, controller.signal)
    releaseBody(invocation.request.body)
  } catch (thrown) {
    releaseBody(invocation.request.body)
    metrics.refused(name)
    failCall(context, { call, response, record }, thrown)
    return
  }
  metrics.completed(name, completion)
  record.completed(completion, resultOf(response))
  finish(context, call, { response, completion })
}

/** What is left to say when the invocation is over: nothing, when the function has answered. */
function finish(
  context: GatewayContext,
  { req, res, invocation, controller }: Call,
  { response, completion }: { readonly response: HttpResponse; readonly completion: Completion },
): void {
  if (response.complete || res.destroyed) return
  if (!response.untouched) return response.break()
  const { outcome } = completion
  const code = errorCodeOf(outcome)
  const error =
    response.refused ??
    (code === undefined
      ? new PlatformError('internal', { detail: 'the function responded without a response' })
      : causeOf(controller.signal, code, describeOutcome(outcome)))
  if (error.code === 'internal') context.deps.onFault(error, invocation.id)
  sendProblem(req, res, error, { id: invocation.id, headers: response.platformHeaders(completion.timings.runMs) })
}

/** A cancelled call has a reason that the client should hear: a body too large, a shutdown. */
function causeOf(signal: AbortSignal, code: PlatformError['code'], detail: string): PlatformError {
  if (code === 'cancelled' && signal.reason instanceof PlatformError) return signal.reason
  return new PlatformError(code, { detail })
}

function failCall(
  context: GatewayContext,
  { call, response, record }: { readonly call: Call; readonly response: HttpResponse; readonly record: SyncRecord },
  thrown: unknown,
): void {
  const { req, res, invocation, controller } = call
  const reason: unknown = controller.signal.aborted ? controller.signal.reason : thrown
  const error = asPlatformError(reason)
  if (error.code === 'internal') context.deps.onFault(thrown, invocation.id)
  record.failed(error)
  if (res.destroyed || response.complete) return
  if (response.untouched) sendProblem(req, res, error, { id: invocation.id, headers: response.platformHeaders() })
  else response.break()
}

function answerError(
  context: GatewayContext,
  { req, res, id }: { readonly req: IncomingMessage; readonly res: ServerResponse; readonly id: InvocationId },
  thrown: unknown,
): void {
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
