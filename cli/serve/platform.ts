// Puts the parts together: START HERE to see how a process is wired. One AsyncDisposableStack owns everything; what is
// opened later is ended earlier.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'

import { systemClock } from '#core/clock'
import type { Config } from '#core/config'
import type { Destinations } from '#core/destination'
import type { DriverStatus } from '#core/invoker'
import type { Gateway, GatewayOptions } from '#gateway/gateway'
import { createDestinations } from '#gateway/destinations/destinations'
import { FunctionDirectory } from '#gateway/directory'
import { createGateway } from '#gateway/server'
import { ArtifactCache } from '#invoker/artifacts'
import { Consumer } from '#invoker/async/consumer'
import { createBuilder } from '#invoker/build/builder'
import type { Dispatcher } from '#invoker/dispatcher'
import { createLocalInvoker } from '#invoker/local-invoker'
import type { Log } from '#invoker/log'
import { createWasmBuilder } from '#invoker/sandbox/wasm/build/builder'
import type { Store } from '#store/open'

import type { Logger } from './log.ts'
import { openOutbound } from './outbound.ts'
import {
  artifactDir,
  installationOf,
  ladderOf,
  openDrivers,
  openRedis,
  openStoreAt,
  requestLimits,
  stockSize,
  type Context,
} from './parts.ts'
import { openRuntimeDir } from './runtime-dir.ts'
import { signingSecret } from './token.ts'

/** Of the disk, for artifacts that sandboxes load; the least recently used go first. */
const ARTIFACT_CACHE_BYTES = 4 * 1024 ** 3

export interface Platform extends AsyncDisposable {
  readonly url: string
  readonly redis: string
  readonly drivers: () => readonly DriverStatus[]
  /** By name. */
  readonly functionNames: () => Promise<readonly string[]>
  /** Ends running invocations now; disposing lets them finish within `drainMs`. */
  readonly endRunning: () => Promise<void>
}

/**
 * Starts everything and listens. Disposing drains, then ends everything.
 * @throws PlatformError, CliError with what is missing; nothing is left running then
 */
export async function openPlatform(context: Context, adminToken: string): Promise<Platform> {
  const { config, log, poolClock = systemClock } = context
  await using opening = new AsyncDisposableStack()
  const runtimeDir = opening.use(await openRuntimeDir(config.dataDir, process.env))
  const redis = opening.use(await openRedis(context))
  const store = opening.use(await openStoreAt(redis.url, config))
  const wasm = opening.use(createWasmBuilder({ cacheDir: join(config.cacheDir, 'build') }))
  const drivers = opening.use(await openDrivers(context, { runtimeDir: runtimeDir.path, wasm }))
  const artifacts = artifactCache(config, store)
  const sandboxing = { clock: systemClock, drivers: drivers.on, absent: drivers.absent, artifacts }
  const builder = createBuilder({ ...sandboxing, wasm })
  const { memoryMiB, maxWaiting, maxWaitMs } = config
  const limits = requestLimits(config)
  const room = { memoryMiB, maxWaiting, maxWaitMs, stemCells: stockSize(config), ladder: ladderOf(config) }
  const histories = { remembered: await store.histories.load(), save: store.histories.save.bind(store.histories) }
  const invoker = createLocalInvoker({ ...sandboxing, poolClock, log: invokerLog(log), limits, histories, ...room })
  opening.defer(() => invoker.drain(0))
  const gateway = await createGateway(
    {
      functions: store.functions,
      blobs: store.blobs,
      records: store.records,
      lanes: store.lanes,
      deadLetters: store.deadLetters,
      idempotency: store.idempotency,
      triggers: store.triggers,
      redisUrl: redis.url,
      // A private Redis has one process at a time; of those that share one, each is another.
      instance: config.redisUrl === '' ? installationOf(config) : randomUUID(),
      builder,
      invoker,
      clock: systemClock,
      ping: () => store.ping(),
      onFault: (error, id) => log.error({ err: error, id }, 'a fault of Hearth'),
    },
    gatewayOptions(context, adminToken),
  )
  // A private Redis has no other user, so what was running belongs to a process that has crashed.
  if (config.redisUrl === '') await store.lanes.takeOverAll((await store.functions.list()).map(({ name }) => name))
  const destinations = opening.use(await openDestinations(config, store, gateway))
  const consumer = startConsumer(context, { store, invoker, gateway, destinations })
  // Both drain at the same time: what runs has `drainMs` and not twice that.
  opening.defer(async () => {
    await Promise.all([gateway[Symbol.asyncDispose](), consumer[Symbol.asyncDispose]()])
  })
  const { url } = await gateway.listen(config)
  const opened = opening.move()
  return {
    url: reachable(url),
    redis: redis.detail,
    drivers: () => invoker.drivers(),
    functionNames: async () => (await store.functions.list()).map(({ name }) => name),
    endRunning: () => invoker.drain(0),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

function artifactCache(config: Config, { blobs }: Store): ArtifactCache {
  return new ArtifactCache({ dir: artifactDir(config), blobs, maxBytes: ARTIFACT_CACHE_BYTES, clock: systemClock })
}

async function openDestinations(config: Config, store: Store, gateway: Gateway): Promise<Destinations & Disposable> {
  using opening = new DisposableStack()
  const directory = opening.use(new FunctionDirectory(store.functions, systemClock))
  const destinations = createDestinations({
    ...store,
    clock: systemClock,
    outbound: opening.use(openOutbound(systemClock)),
    signingSecret: await signingSecret(config),
    live: (name) => directory.resolve(name),
    publish: (events) => gateway.publish(events),
  })
  const opened = opening.move()
  return { ...destinations, [Symbol.dispose]: () => opened.dispose() }
}

function startConsumer(
  { config, log }: Context,
  parts: { store: Store; invoker: Dispatcher; gateway: Gateway; destinations: Destinations },
): Consumer {
  const { store, invoker, gateway, destinations } = parts
  return new Consumer({
    lanes: store.lanes,
    functions: store.functions,
    records: store.records,
    deadLetters: store.deadLetters,
    destinations,
    invoker,
    clock: systemClock,
    log: invokerLog(log),
    maxRunning: config.asyncConcurrency,
    drainMs: config.drainMs,
    maxResultBytes: config.maxResultBytes,
    onCompletion: (name, completion) => gateway.observe(name, completion),
    onEnd: (record) => gateway.observeEnd(record),
    onDelivery: (name, state) => gateway.observeDelivery(name, state),
  })
}

function invokerLog(log: Logger): Log {
  return {
    warn: (message, { error, ...fields }) =>
      log.warn({ ...fields, ...(error === undefined ? {} : { err: error }) }, message),
  }
}

function gatewayOptions({ config }: Context, adminToken: string): GatewayOptions {
  const { maxAsyncBodyBytes, maxResultBytes, maxBatch, maxUploadBytes, syncRecordsPerS, drainMs } = config
  return {
    ...requestLimits(config),
    adminToken,
    maxAsyncBodyBytes,
    maxResultBytes,
    maxBatch,
    maxUploadBytes,
    syncRecordsPerS,
    drainMs,
    trustProxy: config.trustProxy === 'on',
  }
}

/** An address that means "all of this machine" is none that a client can be told to call. */
function reachable(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')
}
