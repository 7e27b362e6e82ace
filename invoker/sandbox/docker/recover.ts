// Removes what a crashed process of this installation has left: containers by their labels, socket files by their place.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

import type Docker from 'dockerode'

import type { SandboxId } from '#core/ids'

import { removeContainer } from './kill.ts'
import { LABELS } from './labels.ts'

export interface Leftovers {
  readonly docker: Docker
  readonly runtimeDir: string
  readonly installation: string
  /** Of the process that asks: its own containers stay. */
  readonly process: string
}

/** One process at a time uses an installation, so every other process's containers are orphans. */
export async function removeLeftovers(left: Leftovers, signal: AbortSignal): Promise<readonly SandboxId[]> {
  const filters = { label: [`${LABELS.installation}=${left.installation}`] }
  const containers = await left.docker.listContainers({ all: true, filters, abortSignal: signal })
  const orphans = containers.filter(({ Labels: labels }) => labels[LABELS.process] !== left.process)
  await Promise.all(orphans.map(({ Id: id }) => removeContainer(left.docker.getContainer(id))))
  await removeSockets(left.runtimeDir, containers.length - orphans.length)
  return orphans.map(({ Labels: labels }) => labels[LABELS.sandbox] as SandboxId)
}

async function removeSockets(runtimeDir: string, live: number): Promise<void> {
  // Those of sandboxes that run now cannot be told apart; they are there only when recover() was called late.
  if (live > 0) return
  const names = (await readdir(runtimeDir)).filter((name) => name.endsWith('.sock'))
  await Promise.all(names.map((name) => rm(join(runtimeDir, name), { force: true })))
}
