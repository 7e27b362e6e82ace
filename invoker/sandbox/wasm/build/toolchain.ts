// What a build depends on besides the draft.
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'

import type { EngineName, RuntimeName } from '#core/function'

import { RUNTIME_DIR } from './prelude.ts'

/** Counts up when this folder makes something else of the same input. */
const BUILDER = 7

/** Names and versions, ending in a digest of runtimes/js, as in `hearth-wasm 1, esbuild 0.28.2, …, js 5f0c…`. */
export async function toolchainOf(runtime: RuntimeName, engine: EngineName): Promise<string> {
  const names = ['@bytecodealliance/jco-transpile']
  if (runtime === 'js') names.unshift('esbuild')
  if (runtime === 'js' && engine === 'quickjs') names.push('componentize-qjs')
  const versions = await Promise.all(names.map(versionOf))
  if (runtime === 'js' && engine === 'starlingmonkey') versions.push(await starlingMonkeyVersion())
  const parts = [`hearth-wasm ${BUILDER}`, ...versions]
  if (runtime === 'js') parts.push(`js ${await digestOfDir(RUNTIME_DIR)}`)
  return parts.join(', ')
}

async function versionOf(name: string): Promise<string> {
  // Not by resolving name/package.json: `exports` may hide it.
  const paths = createRequire(import.meta.url).resolve.paths(name) ?? []
  for (const path of paths) {
    const text = await readFile(join(path, name, 'package.json'), 'utf8').catch(() => undefined)
    if (text !== undefined) return `${name.split('/').at(-1)} ${(JSON.parse(text) as { version: string }).version}`
  }
  throw new Error(`${name} is not installed`)
}

async function starlingMonkeyVersion(): Promise<string> {
  const text = await readFile(join(RUNTIME_DIR, 'starlingmonkey/package.json'), 'utf8')
  const { dependencies } = JSON.parse(text) as { dependencies: Record<string, string> }
  return `componentize-js ${dependencies['@bytecodealliance/componentize-js']}`
}

async function digestOfDir(dir: string): Promise<string> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
  const hash = createHash('sha256')
  for (const path of paths)
    hash
      .update(path.slice(dir.length))
      .update('\0')
      .update(await readFile(path))
  return hash.digest('hex').slice(0, 12)
}
