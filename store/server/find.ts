// Finds a Redis for `hearth serve`, or starts one: the machine needs nothing but Node. Keeps nothing in it itself.
//
// In this order: the URL that was given; redis-server or valkey-server on the PATH; a private copy out of the
// distribution's packages; a container. What is started here belongs to one data directory and ends with its owner.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'

import { type Clock, systemClock } from '#core/clock'
import { PlatformError } from '#core/errors'

import { describeRedisUrl } from '../connect.ts'
import { containerLauncher } from './container.ts'
import { debianLauncher } from './debian.ts'
import { ownDirectory } from './owner.ts'
import { findOnPath } from './run.ts'
import { programLauncher, type Launcher, startServer } from './server.ts'

export interface FoundRedis extends AsyncDisposable {
  /** For `openStore`. */
  readonly url: string
  /** For the banner: what it is and where. */
  readonly detail: string
}

export interface FindRedisOptions {
  /** Given by the operator; then nothing is started. */
  readonly url?: string
  /** Its `redis` folder gets the data of a Redis that is started here. */
  readonly dataDir: string
  /** May be deleted at any time; shared by all instances of a user. */
  readonly cacheDir: string
  /** Told in one line what takes its time. */
  readonly onProgress: (message: string) => void
  readonly signal: AbortSignal
  readonly clock?: Clock
}

/**
 * Disposing shuts down what was started here, with its data written.
 * @throws PlatformError `store-unavailable` when there is none to be had, with the ways out, or when another Hearth
 * uses the data directory
 */
export async function findRedis(options: FindRedisOptions): Promise<FoundRedis> {
  const { url, dataDir, clock = systemClock } = options
  if (url !== undefined) return { url, detail: describeRedisUrl(url), [Symbol.asyncDispose]: async () => {} }
  const dir = join(dataDir, 'redis')
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await using starting = new AsyncDisposableStack()
  using alive = new DisposableStack()
  alive.use(keepAlive())
  const owned = starting.use(await ownDirectory(dir))
  const launcher = await findLauncher(options)
  const server = starting.use(await startServer(launcher, owned, { ...options, clock }))
  const started = starting.move()
  return { url: server.url, detail: launcher.detail, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

async function findLauncher(options: FindRedisOptions): Promise<Launcher> {
  const installed = await findOnPath(['redis-server', 'valkey-server'])
  if (installed !== undefined) return programLauncher(installed, {}, `private ${installed}`)
  const failures: string[] = []
  for (const find of [debianLauncher, containerLauncher]) {
    const launcher = await find(options)
    if ('command' in launcher) return launcher
    failures.push(launcher.reason)
  }
  throw new PlatformError('store-unavailable', {
    detail:
      'Hearth needs a Redis and found none. Set HEARTH_REDIS_URL, or install redis-server ' +
      `(apt install redis-server, brew install redis). Tried: ${failures.join('; ')}`,
  })
}

/** Timers of the clock do not keep the process alive; a start that is under way must. */
function keepAlive(): Disposable {
  const { port1 } = new MessageChannel()
  port1.on('message', () => {})
  return { [Symbol.dispose]: () => port1.close() }
}
