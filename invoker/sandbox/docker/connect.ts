// Finds the Docker daemon and talks to it. The only folder that knows Docker; pools and deadlines are not known here.
import { Agent } from 'node:http'

import Docker from 'dockerode'

import { systemClock } from '#core/clock'
import { within } from '#invoker/within'

const PROBE_MS = 5_000

export interface Connection {
  readonly docker: Docker
  /** Where the daemon is, as it is shown to people. */
  readonly address: string
  readonly serverVersion: string
}

/** There is no daemon to work with; `message` says why, in words for the start banner. */
export class DockerUnavailable extends Error {
  override readonly name = 'DockerUnavailable'
}

/**
 * @param dockerHost `unix:///path`, a path, `tcp://host:port` or `http(s)://host:port`
 * @throws DockerUnavailable
 */
export async function connectDocker(dockerHost: string): Promise<Connection> {
  const { docker, address } = clientFor(dockerHost)
  try {
    const version = await within(docker.version(), PROBE_MS, systemClock)
    if (version === undefined) throw new DockerUnavailable(`no answer from ${address} within ${PROBE_MS} ms`)
    const { Version: serverVersion, Os: os } = version
    if (os !== 'linux') throw new DockerUnavailable(`the daemon at ${address} must run Linux containers: it runs ${os}`)
    return { docker, address, serverVersion }
  } catch (error) {
    throw error instanceof DockerUnavailable ? error : new DockerUnavailable(reasonOf(error, address), { cause: error })
  }
}

function clientFor(dockerHost: string): { docker: Docker; address: string } {
  const agent = new Agent({ keepAlive: true })
  const path = dockerHost.startsWith('/') ? dockerHost : /^unix:\/\/(\/.+)$/.exec(dockerHost)?.[1]
  // dockerode lets DOCKER_HOST win over what it is given, unless the other fields are there and undefined.
  if (path !== undefined) {
    const options = { socketPath: path, host: undefined, port: undefined, agent }
    return { docker: new Docker(options), address: path }
  }
  const url = URL.parse(dockerHost)
  if (url === null || !['tcp:', 'http:', 'https:'].includes(url.protocol)) {
    throw new DockerUnavailable(`the Docker host must be unix:///path or tcp://host:port: received ${dockerHost}`)
  }
  const secure = url.protocol === 'https:'
  const options = {
    host: url.hostname,
    port: url.port || '2375',
    protocol: secure ? 'https' : 'http',
    agent: secure ? undefined : agent,
  } as const
  return { docker: new Docker(options), address: `${options.host}:${options.port}` }
}

function reasonOf(error: unknown, address: string): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ECONNREFUSED') return `no daemon at ${address}`
  if (code === 'EACCES' || code === 'EPERM') {
    return `permission denied at ${address}: the user must be in the group of the socket (usually "docker")`
  }
  return `the daemon at ${address} does not answer: ${message}`
}
