// `function.json`: what a folder says about the function in it. Optional; every field has a default.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { nearest } from '#core/nearest'
import { SPEC_FIELDS } from '#core/spec-fields'

import { usageError } from '../exit.ts'

export interface FunctionManifest {
  /** Default: the name of the folder. */
  readonly name?: string
  /** Upload this one file instead of the folder; for instance a .wasm that a build made. */
  readonly entry?: string
  /** Upload only what matches one of these globs. */
  readonly files?: readonly string[]
  /** The spec fields of docs/functions.md. The server checks their values. */
  readonly spec: Readonly<Record<string, unknown>>
}

export const MANIFEST_FILE = 'function.json'
const OWN_FIELDS = ['name', 'entry', 'files']

/** @throws CliError when the file is there and not a manifest */
export async function readManifest(dir: string): Promise<FunctionManifest> {
  const path = join(dir, MANIFEST_FILE)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { spec: {} }
    throw error
  }
  return parseManifest(text, path)
}

/** @throws CliError naming the file, the field, what was expected and what was received */
export function parseManifest(text: string, path: string): FunctionManifest {
  const fields = parseObject(text, path)
  const known = [...OWN_FIELDS, ...Object.keys(SPEC_FIELDS)]
  const unknown = Object.keys(fields).find((key) => !known.includes(key))
  if (unknown !== undefined) {
    const near = nearest(unknown, known)
    const guess = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`
    throw usageError(`${path}: unknown field ${JSON.stringify(unknown)}${guess}`, `the fields are ${known.join(', ')}`)
  }
  const { name, entry, files, ...spec } = fields
  return { ...textField('name', name, path), ...textField('entry', entry, path), ...globs(files, path), spec }
}

function parseObject(text: string, path: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw usageError(`${path} is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw usageError(`${path} must hold an object: received ${JSON.stringify(value).slice(0, 80)}`)
}

function textField<K extends 'name' | 'entry'>(key: K, value: unknown, path: string): { readonly [P in K]?: string } {
  if (value === undefined) return {}
  if (typeof value === 'string' && value !== '') return { [key]: value } as { readonly [P in K]?: string }
  throw usageError(`${path}: ${key} must be text: received ${JSON.stringify(value)}`)
}

function globs(value: unknown, path: string): { readonly files?: readonly string[] } {
  if (value === undefined) return {}
  if (Array.isArray(value) && value.length > 0 && value.every((glob) => typeof glob === 'string'))
    return { files: value }
  throw usageError(`${path}: files must be a list of globs: received ${JSON.stringify(value)}`)
}
