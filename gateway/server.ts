// Puts a gateway together: one HTTP server, function URLs on the bare server, everything else on fastify.
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'

import { AcceptGatherer } from './accept/gatherer.ts'
import { tokenCheck, unauthorized } from './auth.ts'
import { followChanges } from './changes.ts'
import { FunctionDirectory } from './directory.ts'
import { errorResponder, handleUnknownRoutes } from './errors.ts'
import type { Gateway, GatewayDeps, GatewayOptions } from './gateway.ts'
import { Answers } from './invoke/answers.ts'
import { RequestForwarder } from './invoke/headers.ts'
import { SyncRecords } from './invoke/sync-records.ts'
import { FUNCTION_PREFIX, originForm } from './invoke/target.ts'
import { GatewayMetrics } from './metrics.ts'
import { collectPaths } from './openapi/document.ts'
import { answerClientError } from './problem.ts'
import { batchRoute } from './routes/batch.ts'
import { cancelRoute } from './routes/cancel.ts'
import { codeRoutes } from './routes/code.ts'
import type { GatewayContext } from './routes/context.ts'
import { deadLetterRoutes } from './routes/dead-letters.ts'
import { deployRoutes } from './routes/deploy.ts'
import { docsRoutes } from './routes/docs.ts'
import { eventRoutes } from './routes/events.ts'
import { functionRoutes } from './routes/functions.ts'
import { healthRoutes } from './routes/health.ts'
import { hookRoutes } from './routes/hooks.ts'
import { invocationRoutes } from './routes/invocations.ts'
import { handleInvoke } from './routes/invoke.ts'
import { logRoutes } from './routes/logs.ts'
import { metricsRoutes } from './routes/metrics.ts'
import { replayRoute } from './routes/replay.ts'
import { handleSubmit, submitRoute, submitTarget } from './routes/submit.ts'
import { triggerRoutes } from './routes/triggers.ts'
import { versionRoutes } from './routes/versions.ts'
import { abortSignalOf, RunningRequests, shuttingDown } from './running.ts'
import { SOURCES } from './sources/catalogue.ts'
import { publish } from './triggers/bus.ts'
import { Triggers } from './triggers/triggers.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Aborts when the client has gone, or when a drain has taken too long. */
    cancel: AbortSignal
  }
}

/** Longer than the idle time-outs of usual proxies, which must be the ones to close first. */
const KEEP_ALIVE_MS = 75_000
/** For the request line, and what surrounds names and values. */
const HEADER_SLACK_BYTES = 16 * 1024

/** A gateway that does not listen yet. */
export async function createGateway(deps: GatewayDeps, options: GatewayOptions): Promise<Gateway> {
  const directory = new FunctionDirectory(deps.functions, deps.clock)
  const triggers = new Triggers({
    ...deps,
    sources: SOURCES,
    owner: deps.instance,
    resolve: (name) => directory.resolve(name),
    maxBatchBytes: options.maxAsyncBodyBytes,
  })
  const context: GatewayContext = {
    deps,
    options,
    directory,
    triggers,
    metrics: new GatewayMetrics(deps, () => triggers.all()),
    records: new SyncRecords(deps.records, options.syncRecordsPerS, deps.clock),
    running: new RunningRequests(deps.clock),
    forwarder: new RequestForwarder(options),
    responses: { clock: deps.clock, answers: new Answers() },
    isAdmin: tokenCheck(options.adminToken),
    accepting: new AcceptGatherer(deps),
  }
  const server = makeServer(options)
  const following = followChanges(context)
  const app = await makeApp(server, context)
  server.on('request', (req, res) => route(context, app, req, res))
  return makeGateway(context, { server, app, following })
}

function makeServer({ maxHeaders, maxHeaderBytes }: GatewayOptions): Server {
  const maxHeaderSize = maxHeaderBytes + 4 * maxHeaders + HEADER_SLACK_BYTES
  const server = createServer({ maxHeaderSize, keepAliveTimeout: KEEP_ALIVE_MS })
  // Otherwise node drops those over 2000 without a word; ours are counted and refused.
  server.maxHeadersCount = 0
  return server
}

function route(context: GatewayContext, app: FastifyInstance, req: IncomingMessage, res: ServerResponse): void {
  const url = originForm(req.url ?? '/')
  req.url = url
  if (url.startsWith(FUNCTION_PREFIX)) return handleInvoke(context, req, res)
  const submission = req.method === 'POST' ? submitTarget(url) : undefined
  if (submission === undefined) app.routing(req, res)
  else void handleSubmit(context, { req, res, ...submission })
}

async function makeApp(server: Server, context: GatewayContext): Promise<FastifyInstance> {
  const { deps, options } = context
  const respond = errorResponder(deps.onFault)
  const app = Fastify({
    serverFactory: () => server,
    genReqId: () => crypto.randomUUID(),
    clientErrorHandler: (error, socket) => answerClientError(error, socket, options),
    frameworkErrors: (error, request, reply) => respond(error, request as never, reply as never),
    routerOptions: { maxParamLength: 500 },
  })
  app.setErrorHandler(respond)
  handleUnknownRoutes(app, respond)
  trackRequests(app, context)
  const paths = collectPaths(app)
  healthRoutes(app, context)
  metricsRoutes(app, context)
  docsRoutes(app, paths)
  await app.register(async (managed) => managementRoutes(managed, context))
  await app.register(async (hooks) => hookRoutes(hooks, context))
  await app.ready()
  return app
}

async function managementRoutes(app: FastifyInstance, context: GatewayContext): Promise<void> {
  app.addHook('onRequest', async ({ headers: { authorization } }) => {
    if (!context.isAdmin(authorization)) throw unauthorized(authorization)
    if (context.running.draining) throw shuttingDown()
  })
  // Bodies are for functions or for upload/: nothing is parsed by its type.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  await app.register(async (deploys) => deployRoutes(deploys, context))
  functionRoutes(app, context)
  versionRoutes(app, context)
  codeRoutes(app, context)
  submitRoute(app, context)
  await app.register(async (batch) => batchRoute(batch, context))
  invocationRoutes(app, context)
  cancelRoute(app, context)
  replayRoute(app, context)
  deadLetterRoutes(app, context)
  logRoutes(app, context)
  triggerRoutes(app, context)
  eventRoutes(app, context)
}

function trackRequests(app: FastifyInstance, { running }: GatewayContext): void {
  app.decorateRequest('cancel')
  app.addHook('onRequest', async (request, { raw }) => {
    request.cancel = abortSignalOf(running.begin(raw).stop)
  })
}

interface Parts {
  readonly server: Server
  readonly app: FastifyInstance
  readonly following: Disposable
}

function makeGateway(context: GatewayContext, parts: Parts): Gateway {
  const { server } = parts
  let closing: Promise<void> | undefined
  return {
    async listen({ host, port }) {
      const ready = Promise.withResolvers<void>()
      server.once('error', ready.reject)
      server.listen({ host, port }, ready.resolve)
      await ready.promise
      server.off('error', ready.reject)
      await context.triggers.start()
      const address = server.address() as AddressInfo
      const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address
      return { url: `http://${shown}:${address.port}`, port: address.port }
    },
    publish: (events) => publish(context.triggers, events),
    observe(name, completion) {
      context.metrics.completed(name, completion)
    },
    observeEnd(record) {
      context.metrics.lanes.ended(record)
    },
    observeDelivery(name, state) {
      context.metrics.lanes.delivered(name, state)
    },
    [Symbol.asyncDispose]() {
      closing ??= close(context, parts)
      return closing
    },
  }
}

async function close({ running, directory, triggers, options }: GatewayContext, parts: Parts): Promise<void> {
  const { server, app, following } = parts
  // Also closes the connections that are idle now.
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  // First what brings work in. Webhooks and the bus are refused while requests drain.
  await Promise.all([triggers[Symbol.asyncDispose](), running.drain(options.drainMs)])
  server.closeAllConnections()
  await closed
  await app.close()
  following[Symbol.dispose]()
  directory[Symbol.dispose]()
}
