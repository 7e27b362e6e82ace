// Talks to a Hearth over HTTP, and finds it: HEARTH_URL, else what the running instance of the data directory left.
import { readFile } from 'node:fs/promises'
import { homedir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'

import type { Diagnostic } from '#core/build'
import { readConfig, type Config } from '#core/config'
import type { Machine } from '#core/settings'

import { CliError, EXIT, type ExitCode } from './exit.ts'
import { readInstance } from './instance.ts'
import { events } from './streams.ts'
import type { Terminal } from './terminal.ts'

export interface Client {
  /** Without a slash at the end. */
  readonly url: string
  readonly token: string | undefined
  /**
   * A call of the management API, with the token.
   * @returns the response, whose status is 2xx
   * @throws CliError with what the platform said
   */
  call(path: string, init?: RequestInit): Promise<Response>
  /** The events of a stream that has no end. @throws CliError when Hearth ends it all the same */
  follow(path: string): AsyncGenerator
  /** A call without the token; any status is returned. */
  open(path: string, init?: RequestInit): Promise<Response>
}

export function machine(env: Terminal['env']): Machine {
  const memoryMiB = Math.floor(totalmem() / 1024 / 1024)
  return {
    memoryMiB,
    rootDir: dirname(import.meta.dirname),
    userCacheDir: env.XDG_CACHE_HOME || join(homedir(), '.cache'),
  }
}

/** @throws CliError `unreachable` when there is nothing to connect to */
export async function connect(terminal: Terminal): Promise<Client> {
  const config = readConfig(terminal.env, machine(terminal.env))
  const { url, token } = await locate(config, terminal.env.HEARTH_URL)
  return createClient(url, token, terminal.signal)
}

/** @param signal aborts every call */
export function createClient(url: string, token: string | undefined, signal: AbortSignal): Client {
  const send = (path: string, init: RequestInit): Promise<Response> => reach(`${url}${path}`, { signal, ...init })
  const call = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers)
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
    const response = await send(path, { ...init, headers })
    if (!response.ok) throw await errorOf(response)
    return response
  }
  return {
    url,
    token,
    call,
    open: (path, init = {}) => send(path, init),
    async *follow(path) {
      const response = await call(path, { headers: { accept: 'text/event-stream' } })
      yield* events(response.body ?? new ReadableStream())
      throw brokeOff()
    },
  }
}

/** What fetch throws when a response breaks off; undefined for anything else. */
export function brokenResponse(thrown: unknown): CliError | undefined {
  return thrown instanceof TypeError && thrown.message === 'terminated' ? brokeOff() : undefined
}

function brokeOff(): CliError {
  return new CliError('the connection to Hearth broke off', {
    exit: EXIT.unreachable,
    hint: 'it has ended or was restarted; try again',
  })
}

async function locate(
  config: Config,
  explicitUrl: string | undefined,
): Promise<{ url: string; token: string | undefined }> {
  const instance = await readInstance(config.dataDir)
  const url = explicitUrl?.replace(/\/+$/, '') ?? instance?.url
  if (url === undefined) {
    throw new CliError(`no Hearth runs on the data directory ${config.dataDir}`, {
      exit: EXIT.unreachable,
      hint: 'start it with "npm start" (or "hearth serve"), or say where it is with HEARTH_URL',
    })
  }
  if (!URL.canParse(url)) {
    throw new CliError(`HEARTH_URL must be a URL: received ${JSON.stringify(url)}`, { exit: EXIT.usage })
  }
  // The token of the data directory goes to the instance that made it and to nobody else.
  const own =
    instance?.url === url && instance.tokenPath !== undefined ? await readToken(instance.tokenPath) : undefined
  return { url, token: config.adminToken || own }
}

async function readToken(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch {
    return undefined
  }
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (error) {
    if (init.signal?.aborted === true) throw error
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
    throw new CliError(`cannot connect to Hearth at ${new URL(url).origin}: ${cause}`, {
      exit: EXIT.unreachable,
      hint: 'start it with "npm start" (or "hearth serve")',
    })
  }
}

/** A problem document, as far as the platform sent one. */
export interface Problem {
  readonly title?: string
  readonly status?: number
  readonly code?: string
  readonly detail?: string
  readonly advice?: string
  readonly diagnostics?: readonly Diagnostic[]
}

/** What a response that is not 2xx says. */
export async function errorOf(response: Response): Promise<CliError> {
  const text = await response.text()
  try {
    return problemError({ status: response.status, ...(JSON.parse(text) as Problem) })
  } catch {
    return new CliError(`${response.url} answered ${response.status}: ${text.slice(0, 200) || response.statusText}`, {
      exit: EXIT.failed,
      hint: 'is this a Hearth? HEARTH_URL says where to look',
    })
  }
}

export function problemError(problem: Problem): CliError {
  const message = [problem.title, problem.detail].filter(Boolean).join(': ')
  return new CliError(message, {
    exit: exitFor(problem),
    hint: problem.code === 'unauthorized' ? tokenHint() : problem.advice,
    ...(problem.code === undefined ? {} : { code: problem.code }),
    ...(problem.diagnostics === undefined ? {} : { diagnostics: problem.diagnostics }),
  })
}

function tokenHint(): string {
  return 'set HEARTH_ADMIN_TOKEN, or HEARTH_DATA_DIR to the data directory of the instance'
}

function exitFor({ status, code }: Problem): ExitCode {
  if (status === 401) return EXIT.unreachable
  if (code === 'invalid-name' || code === 'invalid-spec' || code === 'invalid-trigger') return EXIT.usage
  return status === 404 ? EXIT.notFound : EXIT.failed
}
