// What the repository's tests about itself look at. Reads the files that git knows or would take; nothing else.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const ROOT_DIR = join(import.meta.dirname, '..', '..')

export interface Source {
  /** From the root, `/`-separated. */
  readonly path: string
  readonly text: string
}

/** The files whose path matches, tracked or not yet added, without what .gitignore names. */
export function sources(pattern: RegExp): readonly Source[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate'], {
    cwd: ROOT_DIR,
    encoding: 'utf8',
  })
  return listed
    .split('\n')
    .filter((path) => pattern.test(path))
    .flatMap((path) => read(path))
}

export function read(path: string): readonly Source[] {
  try {
    return [{ path, text: readFileSync(join(ROOT_DIR, path), 'utf8') }]
  } catch {
    // Deleted in the work tree and not yet committed.
    return []
  }
}

/** The text of a file that must be there. */
export function textOf(path: string): string {
  return readFileSync(join(ROOT_DIR, path), 'utf8')
}
