// A Redis in a container, for systems without redis-server and without apt. Speaks to the `docker` command only.
import { createHash } from 'node:crypto'

import type { FindOptions, NoLauncher } from './debian.ts'
import { findOnPath, runProgram } from './run.ts'
import { type Launcher, serverArgs } from './server.ts'

/** The first that is there is taken; if none is, the first one is pulled. */
const IMAGES = [
  'valkey/valkey:8-alpine',
  'valkey/valkey:8',
  'redis:8-alpine',
  'redis:7-alpine',
  'redis:7',
  'redis:latest',
]

export async function containerLauncher({ onProgress, signal }: FindOptions): Promise<Launcher | NoLauncher> {
  // Elsewhere containers run in a virtual machine, and a socket in a shared folder does not reach out of it.
  if (process.platform !== 'linux') return { reason: 'a Redis in a container needs Linux' }
  const docker = await findOnPath(['docker'])
  if (docker === undefined) return { reason: 'no docker to run Redis in a container with' }
  try {
    const image = await findImage(docker, onProgress, signal)
    return launcherFor(docker, image)
  } catch (error) {
    signal.throwIfAborted()
    return { reason: `docker: ${error instanceof Error ? error.message : String(error)}` }
  }
}

async function findImage(docker: string, onProgress: (message: string) => void, signal: AbortSignal): Promise<string> {
  const listed = await runProgram(docker, ['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}'], { signal })
  const present = new Set(listed.split('\n'))
  const found = IMAGES.find((image) => present.has(image))
  if (found !== undefined) return found
  const [first] = IMAGES
  onProgress(`No redis-server on the PATH: pulling the image ${first}`)
  await runProgram(docker, ['pull', '--quiet', first!], { signal })
  return first!
}

/**
 * `docker run` stays in the foreground as the child that is watched; the server listens on a socket in the data
 * directory like any other, and runs as this user so that its files are this user's.
 */
function launcherFor(docker: string, image: string): Launcher {
  return {
    detail: `private ${image} in a container`,
    command(dir, socketPath) {
      const name = `hearth-redis-${createHash('sha256').update(dir).digest('hex').slice(0, 16)}`
      const socketDir = socketPath.slice(0, socketPath.lastIndexOf('/'))
      const mounts = [...new Set([dir, socketDir])].flatMap((path) => ['--volume', `${path}:${path}`])
      const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`
      const server = image.startsWith('valkey/') ? 'valkey-server' : 'redis-server'
      return {
        program: docker,
        args: ['run', '--rm', '--name', name, '--network', 'none', '--user', user].concat(
          mounts,
          ['--entrypoint', server, image],
          serverArgs(dir, socketPath),
        ),
        env: {},
      }
    },
  }
}
