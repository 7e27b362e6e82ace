// Opens what the platform is made of, one function for each part. Whoever calls these ends the parts; platform.ts says
// in which order.
import { createHash } from 'node:crypto'
import { join } from 'node:path'

import type { BuildProgress } from '#core/build'
import type { Clock } from '#core/clock'
import type { Config } from '#core/config'
import type { RequestLimits } from '#core/limits'
import type { AbsentDriver } from '#invoker/pool/starter'
import type { Ladder } from '#invoker/pool/descend'
import type { StockSize } from '#invoker/pool/stock'
import { createDockerDriver } from '#invoker/sandbox/docker/driver'
import type { SandboxDriver } from '#invoker/sandbox/driver'
import type { WasmBuilder } from '#invoker/sandbox/wasm/build/builder'
import { createWasmDriver } from '#invoker/sandbox/wasm/driver'
import { openStore, type Store } from '#store/open'
import { findRedis, type FoundRedis } from '#store/server/find'

import type { Logger } from './log.ts'

export interface Context {
  readonly config: Config
  readonly log: Logger
  /** Told in one line what takes its time while the process starts. */
  readonly onProgress: (message: string) => void
  /** Aborts when the start is to be given up. */
  readonly signal: AbortSignal
  /** As in LocalInvokerOptions. */
  readonly poolClock?: Clock
}

/** @throws PlatformError `store-unavailable` with the ways out */
export function openRedis({ config, onProgress, signal }: Context): Promise<FoundRedis> {
  const { dataDir, cacheDir, redisUrl } = config
  return findRedis({ dataDir, cacheDir, onProgress, signal, ...(redisUrl === '' ? {} : { url: redisUrl }) })
}

export function openStoreAt(url: string, { retentionS, deadLetterS, idempotencyS }: Config): Promise<Store> {
  const settings = {
    retentionMs: retentionS * 1000,
    deadLetterMs: deadLetterS * 1000,
    idempotencyMs: idempotencyS * 1000,
  }
  return openStore({ url, settings })
}

export interface Drivers extends AsyncDisposable {
  readonly on: readonly SandboxDriver[]
  readonly absent: readonly AbsentDriver[]
}

export interface DriverParts {
  readonly runtimeDir: string
  readonly wasm: WasmBuilder
}

/** All that this machine has; one that is off says why. Removes what a crashed process left. */
export async function openDrivers(
  { config, log, signal }: Context,
  { runtimeDir, wasm: builder }: DriverParts,
): Promise<Drivers> {
  await using opening = new AsyncDisposableStack()
  const { cacheDir, dockerHost } = config
  const wasm = createWasmDriver({
    artifactDir: artifactDir(config),
    cacheDir: join(cacheDir, 'wasm'),
    practice: (orBuild) => builder.practice(orBuild),
  })
  const on: SandboxDriver[] = [opening.use(wasm)]
  const absent: AbsentDriver[] = []
  const onProgress = ({ step, message }: BuildProgress): void => log.info({ step }, message)
  const docker = await createDockerDriver({ dockerHost, runtimeDir, installation: installationOf(config), onProgress })
  if (docker.on) on.push(opening.use(docker.driver))
  else absent.push({ name: 'docker', runtimes: ['node', 'python'], reason: docker.reason })
  for (const driver of on) {
    const removed = await driver.recover(signal)
    if (removed.length > 0) log.info({ driver: driver.name, removed }, 'removed sandboxes that a crashed process left')
  }
  const opened = opening.move()
  return { on, absent, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** The same for every start on a data directory. */
export function installationOf({ dataDir }: Pick<Config, 'dataDir'>): string {
  return createHash('sha256').update(dataDir).digest('hex').slice(0, 16)
}

export function artifactDir({ cacheDir }: Config): string {
  return join(cacheDir, 'artifacts')
}

export function requestLimits({ maxHeaders, maxHeaderBytes, maxBodyBytes }: Config): RequestLimits {
  return { maxHeaders, maxHeaderBytes, maxBodyBytes }
}

/** What HEARTH_PAUSE_AFTER_MS and HEARTH_HIBERNATE_AFTER_MS say. */
export function ladderOf({ pauseAfterMs, hibernateAfterMs }: Config): Ladder {
  return { pauseAfterMs: pauseAfterMs || Infinity, hibernateAfterMs: hibernateAfterMs || Infinity }
}

/** What HEARTH_STEM_CELLS says. */
export function stockSize({ stemCells }: Config): StockSize {
  if (stemCells === 'auto') return 'auto'
  return stemCells === 'off' ? 0 : Number(stemCells)
}
