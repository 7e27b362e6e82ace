// The files of a folder that belong to a function: all, or what the manifest's globs take, without what is ignored.
import { readdir, readFile } from 'node:fs/promises'
import { join, matchesGlob } from 'node:path'

import ignore, { type Ignore } from 'ignore'

import { MANIFEST_FILE } from './manifest.ts'

const IGNORE_FILE = '.hearthignore'
/** Never part of a function. `node_modules` comes back as the packages that are needed (packages.ts). */
const ALWAYS_IGNORED = [
  'node_modules',
  '.git',
  '.hearth',
  '.env',
  '.env.*',
  '.venv',
  '__pycache__',
  '*.pyc',
  '*.log',
  '.DS_Store',
  IGNORE_FILE,
  MANIFEST_FILE,
]

export async function listFiles(dir: string, globs: readonly string[] | undefined): Promise<Map<string, Uint8Array>> {
  const ignored = ignore().add(ALWAYS_IGNORED)
  const own = await readFile(join(dir, IGNORE_FILE), 'utf8').catch(() => '')
  ignored.add(own)
  const paths = await walk(dir, '', ignored)
  const wanted = globs === undefined ? paths : paths.filter((path) => globs.some((glob) => matchesGlob(path, glob)))
  return readFiles(dir, wanted)
}

/** The bytes by path, in the order of the paths. */
export async function readFiles(dir: string, paths: readonly string[]): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  for (const path of paths.toSorted()) files.set(path, await readFile(join(dir, path)))
  return files
}

/** Regular files below `dir`, relative to it. Links are followed to files and not to folders: a loop would never end. */
export async function walk(dir: string, below: string, ignored: Ignore): Promise<string[]> {
  const entries = await readdir(join(dir, below), { withFileTypes: true })
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = below === '' ? entry.name : `${below}/${entry.name}`
      if (entry.isDirectory()) return ignored.ignores(`${path}/`) ? [] : walk(dir, path, ignored)
      return (entry.isFile() || entry.isSymbolicLink()) && !ignored.ignores(path) ? [path] : []
    }),
  )
  return found.flat()
}
