// Makes problems of whatever goes wrong in a route of fastify: its own errors, those of parsers, ours.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

import { asPlatformError, PlatformError } from '#core/errors'

import type { GatewayDeps } from './gateway.ts'
import { sendProblem } from './problem.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The setting behind the route's bodyLimit, for the error. */
    limit?: string
  }
}

const TOO_LARGE = new Set([
  'FST_ERR_CTP_BODY_TOO_LARGE',
  'FST_REQ_FILE_TOO_LARGE',
  'FST_ERR_CTP_INVALID_CONTENT_LENGTH',
])

export type ErrorResponder = (thrown: unknown, request: FastifyRequest, reply: FastifyReply) => void

export function errorResponder(onFault: GatewayDeps['onFault']): ErrorResponder {
  return (thrown, request, reply) => {
    const error = platformErrorOf(thrown, request)
    if (error.code === 'internal') onFault(thrown, request.id)
    reply.hijack()
    const { raw } = reply
    if (raw.headersSent) raw.destroy()
    else if (!raw.destroyed) sendProblem(request.raw, raw, error, { id: request.id, headers: allowOf(error) })
  }
}

function platformErrorOf(thrown: unknown, request: FastifyRequest): PlatformError {
  if (thrown instanceof PlatformError) return thrown
  const { code, statusCode, message } = thrown as { code?: string; statusCode?: number; message?: string }
  if (code !== undefined && TOO_LARGE.has(code)) return bodyTooLarge(request)
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new PlatformError('invalid-request', { detail: message ?? 'the request is not valid', cause: thrown })
  }
  return asPlatformError(thrown)
}

function bodyTooLarge(request: FastifyRequest): PlatformError {
  const { bodyLimit, config } = request.routeOptions
  const setting = config?.limit === undefined ? '' : ` (${config.limit})`
  const received = request.headers['content-length'] ?? 'more'
  return new PlatformError('payload-too-large', {
    detail: `a body has at most ${bodyLimit} bytes${setting}: received ${received}`,
    members: { limit: bodyLimit },
  })
}

/** A 405 says what would be allowed. */
function allowOf(error: PlatformError): string[] {
  const { allow } = error.members
  return Array.isArray(allow) ? ['allow', allow.join(', ')] : []
}

/** Tells a path that there is not from one that does not take the method. Call it before the first route. */
export function handleUnknownRoutes(app: FastifyInstance, respond: ErrorResponder): void {
  const routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ pattern: new RegExp(`^${url.replace(/:\w+/g, '[^/]+')}$`), methods: [method].flat() })
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? ''
    const allow = [...new Set(routes.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods))]
    respond(unknownRoute(request.method, path, allow), request, reply)
  })
}

function unknownRoute(method: string, path: string, allow: readonly string[]): PlatformError {
  const shown = path.slice(0, 200)
  if (allow.length === 0) return new PlatformError('route-not-found', { detail: `no route has the path ${shown}` })
  return new PlatformError('method-not-allowed', {
    detail: `${shown} takes ${allow.join(', ')}: received ${method}`,
    members: { allow },
  })
}
