// The first start deploys what lies under functions/, so that there is something to call. Goes the way of every user:
// through the API.
import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { impliedRuntime } from '#gateway/upload/layout'

import type { Client } from '../client.ts'
import { bundle } from '../deploy/bundle.ts'
import { listFiles } from '../deploy/files.ts'
import { readManifest } from '../deploy/manifest.ts'
import { upload } from '../deploy/upload.ts'
import type { Terminal } from '../terminal.ts'
import type { Logger } from './log.ts'

export interface Example {
  readonly dir: string
  readonly name: string
  readonly runtime: string
}

/** Called as soon as it is there: what the banner shows. */
const FIRST = 'hello-js'

/** Those under the folder that are complete, the quick ones first. */
export async function listExamples(functionsDir: string): Promise<readonly Example[]> {
  const entries = await readdir(functionsDir, { withFileTypes: true })
  const dirs = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(functionsDir, name))
  const examples = (await Promise.all(dirs.map(describe))).flat()
  return examples.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
}

async function describe(dir: string): Promise<Example[]> {
  const manifest = await readManifest(dir)
  const { spec, entry } = manifest
  const files = await listFiles(dir, undefined)
  // An entry that a build makes may not be there yet.
  if (files.size === 0 || (entry !== undefined && !files.has(entry))) return []
  const runtime = spec.runtime ?? impliedRuntime(entry === undefined ? files : new Map([[entry, new Uint8Array()]]), '')
  const name = manifest.name ?? dir.slice(dir.lastIndexOf('/') + 1)
  // Not a text: the deploy will say what is wrong with it.
  return [{ dir, name, runtime: typeof runtime === 'string' ? runtime : '' }]
}

function rank({ runtime, name }: Example): number {
  if (name === FIRST) return 0
  return runtime === 'js' || runtime === 'wasm' ? 1 : 2
}

interface Deployment {
  readonly client: Client
  readonly terminal: Terminal
  readonly log: Logger
}

/** One after the other. A failure is logged and the next one goes on. */
export async function deployExamples(
  examples: readonly Example[],
  { client, terminal, log }: Deployment,
): Promise<void> {
  for (const { dir, name } of examples) {
    try {
      await upload(client, await bundle(dir, {}), terminal)
    } catch (error) {
      if (terminal.signal.aborted) return
      const reason = error instanceof Error ? error.message : String(error)
      log.warn(`the example ${name} was not deployed: ${reason}; later: npx hearth deploy ${dir}`)
    }
  }
}

/**
 * Whether the examples are still to be deployed: not done on this data directory, and nothing but examples there yet.
 * A user who removed them, or who uses an existing store, does not get them again.
 */
export async function examplesDue(
  dataDir: string,
  examples: readonly Example[],
  deployed: readonly string[],
): Promise<boolean> {
  const names = new Set(examples.map(({ name }) => name))
  return deployed.every((name) => names.has(name)) && !(await exists(markerPath(dataDir)))
}

export async function markExamplesDone(dataDir: string): Promise<void> {
  await writeFile(markerPath(dataDir), '')
}

function markerPath(dataDir: string): string {
  return join(dataDir, 'examples-deployed')
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
