// Finds out which real parts the tests can use on this machine. Starts nothing. Where there is no Redis a private copy
// is unpacked into the cache directory, as `hearth serve` would.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import { request } from 'node:http'
import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * @typedef {object} Part
 * @property {string} name
 * @property {boolean} on
 * @property {string} detail what was found, or why it is not there and what to do
 * @property {Record<string, string>} env for the tests
 * @property {string[]} files globs of the tests that cannot run without it
 */

/** @returns {Promise<Part[]>} */
export async function findParts() {
  return [await redis(), await docker(), ...BROKERS.map(broker)]
}

/** Servers of event sources: where Debian puts them besides the PATH, and the tests that start them. */
const BROKERS = [
  { name: 'NATS', kind: 'nats', program: 'nats-server', also: ['/usr/sbin/nats-server'] },
  { name: 'RabbitMQ', kind: 'amqp', program: 'rabbitmq-server', also: ['/usr/lib/rabbitmq/bin/rabbitmq-server'] },
  { name: 'Mosquitto', kind: 'mqtt', program: 'mosquitto', also: ['/usr/sbin/mosquitto'] },
  { name: 'PostgreSQL', kind: 'postgres', program: 'postgres', also: postgresPrograms() },
]

function broker({ name, kind, program, also }) {
  const files = [`test/**/${kind}/**`, `test/**/*${kind}*`]
  const found = [...also, ...onPath(program)].find(isProgram)
  if (found === undefined) {
    const detail = `no ${program} here: install the Debian package ${kind === 'postgres' ? 'postgresql' : program}`
    return { name, on: false, detail, env: {}, files }
  }
  return { name, on: true, detail: found, env: { [`HEARTH_TEST_${kind.toUpperCase()}`]: found }, files }
}

/** The newest version first. */
function postgresPrograms() {
  const dir = '/usr/lib/postgresql'
  try {
    const versions = readdirSync(dir).toSorted((a, b) => Number(b) - Number(a))
    return versions.map((version) => join(dir, version, 'bin/postgres'))
  } catch {
    return []
  }
}

function onPath(program) {
  return (process.env.PATH ?? '').split(':').map((dir) => join(dir, program))
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

async function redis() {
  const files = ['test/store/**', 'test/e2e/**', 'test/fault/**']
  for (const program of ['redis-server', 'valkey-server']) {
    const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' })
    if (status === 0) {
      return { name: 'Redis', on: true, detail: stdout.trim(), env: { HEARTH_TEST_REDIS_SERVER: program }, files }
    }
  }
  const launcher = await privateCopy()
  if (launcher.reason !== undefined) {
    const detail = `no redis-server or valkey-server on the PATH, and ${launcher.reason}`
    return { name: 'Redis', on: false, detail, env: {}, files }
  }
  const { program, env } = launcher.command('', '')
  return { name: 'Redis', on: true, detail: launcher.detail, env: { HEARTH_TEST_REDIS_SERVER: program, ...env }, files }
}

async function privateCopy() {
  // Here and not above: the TypeScript of the store needs the Node that the set-up installs.
  const { debianLauncher } = await import('../store/server/debian.ts')
  const cacheDir = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'hearth')
  return debianLauncher({ cacheDir, onProgress: console.log, signal: AbortSignal.timeout(120_000) })
}

async function docker() {
  const host = process.env.HEARTH_DOCKER_HOST ?? process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock'
  const files = ['test/**/docker/**', 'test/**/*docker*']
  try {
    const version = await getJson(host, '/version')
    return { name: 'Docker', on: true, detail: `${version.Version} at ${host}`, env: {}, files }
  } catch (error) {
    const detail = `no daemon at ${host} (${error.code ?? error.message}): start Docker to run the container tests`
    return { name: 'Docker', on: false, detail, env: {}, files }
  }
}

function getJson(host, path) {
  const { hostname, port } = host.startsWith('unix://') ? {} : new URL(host)
  const target =
    hostname === undefined ? { socketPath: host.replace(/^unix:\/\//, '') } : { hostname, port: port || 2375 }
  return new Promise((resolve, reject) => {
    const call = request({ ...target, path, timeout: 5000 }, async (response) => {
      try {
        resolve(JSON.parse(Buffer.concat(await response.toArray()).toString()))
      } catch (error) {
        reject(error)
      }
    })
    call.on('timeout', () => call.destroy(new Error('no answer within 5 s')))
    call.on('error', reject)
    call.end()
  })
}
