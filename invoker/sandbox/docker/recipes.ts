// What differs between the runtimes that are run in containers: their files, their base image, their command.
import { fileURLToPath } from 'node:url'

export type ContainerRuntime = 'node' | 'python'

export interface Recipe {
  /** Dockerfile and agent. */
  readonly dir: string
  /** Used when it is there or can be pulled; else one is made of the programs of this machine. */
  readonly base: string
  /** What runs in the container, given its memory. */
  readonly command: (memoryMiB: number) => readonly string[]
  readonly env: readonly string[]
  /** A sandbox with less does not come to life. */
  readonly leastMemoryMiB: number
}

/** V8's default limit is above that of a small container; with this one it ends by itself and says why. */
const HEAP_SHARE = 0.75
const ENV = ['HOME=/tmp', 'LANG=C.UTF-8'] as const

export const RECIPES: Readonly<Record<ContainerRuntime, Recipe>> = {
  node: {
    dir: fileURLToPath(new URL('../../../runtimes/node/', import.meta.url)),
    base: 'node:26-slim',
    command: (memoryMiB) => [
      'node',
      `--max-old-space-size=${Math.floor(memoryMiB * HEAP_SHARE)}`,
      '/opt/hearth/agent.cjs',
    ],
    env: [...ENV, 'NODE_ENV=production'],
    leastMemoryMiB: 64,
  },
  python: {
    dir: fileURLToPath(new URL('../../../runtimes/python/', import.meta.url)),
    base: 'python:3.13-slim',
    command: () => ['python3', '-I', '-B', '-u', '/opt/hearth/agent.py'],
    env: [...ENV],
    leastMemoryMiB: 32,
  },
}
