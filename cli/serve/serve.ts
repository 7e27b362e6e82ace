// `hearth serve` from the first check to the last line: what a start needs before the platform, what it says, how it
// ends. How the platform is wired is in platform.ts.
import { once } from 'node:events'
import { join } from 'node:path'

import { systemClock } from '#core/clock'
import type { Config } from '#core/config'

import { createClient, type Client } from '../client.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { writeInstance } from '../instance.ts'
import { startProgress } from '../progress.ts'
import type { Terminal } from '../terminal.ts'
import { banner, bannerJson, type Ready } from './banner.ts'
import { deployExamples, examplesDue, listExamples, markExamplesDone, type Example } from './examples.ts'
import { lockDataDir } from './lock.ts'
import { createLog, type Logger } from './log.ts'
import { openPlatform, type Platform } from './platform.ts'
import { checkAddress } from './port.ts'
import { listenForShutdown, type Shutdown } from './shutdown.ts'
import { adminToken, type AdminToken } from './token.ts'

export interface ServeOptions {
  readonly config: Config
  readonly terminal: Terminal
  /** The checkout: where the examples are. */
  readonly rootDir: string
  /** Say that it is ready as one line of JSON. */
  readonly json: boolean
}

/**
 * Runs until Ctrl-C, SIGTERM or a fault, then drains.
 * @throws CliError, PlatformError when it cannot start; nothing is left running then
 */
export async function serveUntilTold(options: ServeOptions): Promise<ExitCode> {
  const log = createLog(options.config)
  const shutdown = listenForShutdown(log, systemClock)
  const { requested } = shutdown
  try {
    await using running = new AsyncDisposableStack()
    await serve({ ...options, terminal: { ...options.terminal, signal: requested }, log, shutdown, running })
  } catch (error) {
    if (!requested.aborted) throw error
    // Told to end while it started: what was begun has been ended, and that is what was wanted.
    if (!isAbort(error)) {
      log.error({ err: error }, 'the end was not clean')
      return EXIT.failed
    }
  }
  log.info('ended')
  return shutdown.exitCode()
}

interface Serving extends ServeOptions {
  readonly log: Logger
  readonly shutdown: Shutdown
  readonly running: AsyncDisposableStack
}

async function serve(serving: Serving): Promise<void> {
  const { config, terminal, shutdown, running, json } = serving
  const startedAt = systemClock.monotonic()
  running.use(await lockDataDir(config.dataDir))
  await checkAddress(config.host, config.port)
  const token = await adminToken(config)
  const platform = running.use(await start(serving, token))
  shutdown.forced.addEventListener('abort', () => void platform.endRunning(), { once: true })
  const { url } = platform
  const tokenPath = token.path === undefined ? {} : { tokenPath: token.path }
  running.use(await writeInstance(config.dataDir, { url, pid: process.pid, ...tokenPath }))

  const client = createClient(url, token.token, shutdown.requested)
  const later = await deployFirst(serving, platform, client)
  const startedInMs = systemClock.monotonic() - startedAt
  const ready = readyOf(serving, { platform, token, startedInMs, callable: await callable(platform) })
  terminal.out(json ? bannerJson(ready) : banner(ready, terminal.outColors))
  await deployLater(serving, client, later)
  if (!shutdown.requested.aborted) await once(shutdown.requested, 'abort')
}

async function start({ config, terminal, log, shutdown }: Serving, token: AdminToken): Promise<Platform> {
  using progress = startProgress(terminal, 'starting')
  const onProgress = (message: string): void => progress.step(message)
  return await openPlatform({ config, log, onProgress, signal: shutdown.requested }, token.token)
}

/** Examples that can wait until the banner is shown. */
interface Later {
  readonly examples: readonly Example[]
  readonly withDocker: boolean
}

/** On the first start what is quick to build. @returns undefined when it is not the first start */
async function deployFirst(
  { config, terminal, log, rootDir }: Serving,
  platform: Platform,
  client: Client,
): Promise<Later | undefined> {
  if (config.examples === 'off') return undefined
  const examples = await listExamples(join(rootDir, 'functions'))
  if (!(await examplesDue(config.dataDir, examples, await platform.functionNames()))) return undefined
  const quick = examples.filter(({ runtime }) => runtime === 'js' || runtime === 'wasm')
  await deployExamples(quick, { client, terminal, log })
  const withDocker = platform.drivers().some(({ name, on }) => name === 'docker' && on)
  return { examples: examples.filter((example) => !quick.includes(example)), withDocker }
}

/** In containers, when there are any. Either way this was the first start. */
async function deployLater(
  { config, terminal, log }: Serving,
  client: Client,
  later: Later | undefined,
): Promise<void> {
  if (later === undefined) return
  const { examples, withDocker } = later
  if (withDocker) await deployExamples(examples, { client, terminal: { ...terminal, live: false }, log })
  else if (examples.length > 0) {
    const names = examples.map(({ name }) => name).join(', ')
    log.info(`the examples ${names} need Docker: deploy them when it runs, with npx hearth deploy functions/<name>`)
  }
  if (!terminal.signal.aborted) await markExamplesDone(config.dataDir)
}

interface Started {
  readonly platform: Platform
  readonly token: AdminToken
  readonly startedInMs: number
  readonly callable: string | undefined
}

function readyOf({ config }: Serving, { platform, token, startedInMs, callable: name }: Started): Ready {
  return {
    url: platform.url,
    token: token.path ?? 'HEARTH_ADMIN_TOKEN',
    drivers: platform.drivers(),
    dataDir: config.dataDir,
    redis: platform.redis,
    callable: name,
    startedInMs,
  }
}

async function callable(platform: Platform): Promise<string | undefined> {
  const names = await platform.functionNames()
  return names.find((name) => name === 'hello-js') ?? names[0]
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
