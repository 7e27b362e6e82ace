// A real PostgreSQL on a free port of 127.0.0.1, with files of its own that are synced. Everybody may come in as anybody,
// but as `guarded` only with the password.
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { Client } from 'pg'

import { freePort, listening } from './port.ts'

const run = promisify(execFile)
/** As root it does not start. */
const USER = 'postgres'
const ACCESS = `
local all all trust
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
`

export interface PostgresServer extends AsyncDisposable {
  /** Of the superuser and its database. */
  readonly url: string
  /** Runs statements in a session of its own. */
  query(text: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>
  /** As kill -9, and started again on the same port and files. */
  restart(): Promise<void>
}

/**
 * Starts `HEARTH_TEST_POSTGRES`, or the postgres of the PATH; `initdb` is beside it.
 * @param tls files of the certificate of the server; without them it has no TLS
 */
export async function startPostgres(tls?: {
  readonly certificate: string
  readonly key: string
}): Promise<PostgresServer> {
  await using starting = new AsyncDisposableStack()
  const program = process.env.HEARTH_TEST_POSTGRES ?? 'postgres'
  const dir = await mkdtemp(join(tmpdir(), 'hearth-postgres-'))
  starting.defer(() => rm(dir, { recursive: true, force: true }))
  if (tls !== undefined) {
    await copyFile(tls.certificate, join(dir, 'server.crt'))
    await copyFile(tls.key, join(dir, 'server.key'))
  }
  await giveAway(dir)
  const data = join(dir, 'data')
  const initdb = program.includes('/') ? join(dirname(program), 'initdb') : 'initdb'
  const [init, ...initArgs] = asUser(initdb, '-D', data, '-U', USER, '--auth=trust', '-E', 'UTF8', '--locale=C')
  await run(init, initArgs, { cwd: dir })
  await writeFile(join(data, 'pg_hba.conf'), ACCESS)
  const port = await freePort()
  const url = `postgres://${USER}@127.0.0.1:${port}/postgres`
  const launch = (): ChildProcess => {
    const files = ['ssl=on', `ssl_cert_file=${dir}/server.crt`, `ssl_key_file=${dir}/server.key`]
    const settings = ['listen_addresses=127.0.0.1', ...(tls === undefined ? [] : files)]
    const args = ['-D', data, '-p', String(port), '-k', dir, ...settings.flatMap((setting) => ['-c', setting])]
    const [command, ...rest] = asUser(program, ...args)
    return spawn(command, rest, { stdio: 'ignore', cwd: dir })
  }
  let server = await ready(launch, url)
  starting.defer(() => kill(server))
  const started = starting.move()
  return {
    url,
    query: (text, values) => queryOnce(url, text, values),
    async restart() {
      await kill(server)
      server = await ready(launch, url)
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

/** With the files in it, to the user that the server runs as. */
async function giveAway(dir: string): Promise<void> {
  const files = (await readdir(dir)).map((name) => join(dir, name))
  for (const file of files) await chmod(file, 0o600)
  if (process.getuid?.() !== 0) return
  const ids = await Promise.all(['-u', '-g'].map(async (flag) => Number((await run('id', [flag, USER])).stdout)))
  for (const path of [dir, ...files]) await chown(path, ids[0] ?? 0, ids[1] ?? 0)
}

function asUser(program: string, ...args: readonly string[]): [string, ...string[]] {
  if (process.getuid?.() !== 0) return [program, ...args]
  // It becomes the program, so that its process is the one that was started.
  return ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--init-groups', program, ...args]
}

/** It takes connections before it takes clients; and it does not start while processes of the one before are there. */
async function ready(launch: () => ChildProcess, url: string): Promise<ChildProcess> {
  const deadline = Date.now() + 60_000
  let server = launch()
  for (;;) {
    try {
      await listening(Number(new URL(url).port), server)
      await queryOnce(url, 'SELECT 1')
      return server
    } catch (error) {
      if (Date.now() > deadline) {
        await kill(server)
        throw error
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
      if (server.exitCode !== null || server.signalCode !== null) server = launch()
    }
  }
}

async function queryOnce(
  url: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<Record<string, unknown>>(text, [...values])
    return rows
  } finally {
    await client.end().catch(() => {})
  }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
