// Where the code is in an upload of several files, and what would run it.
import type { FileSet } from '#core/artifact'
import { PlatformError } from '#core/errors'
import type { RuntimeName } from '#core/function'

import { kindOfName, SINGLE_FILES } from './media.ts'

/**
 * Archives often hold one folder with everything in it: then its content is meant, unless the handler names it.
 * @param handler as in the spec, unchecked
 */
export function withoutTopFolder(files: FileSet, handler: unknown): FileSet {
  const [first = ''] = files.keys()
  const folder = first.slice(0, first.indexOf('/') + 1)
  if (folder === '' || folder === 'node_modules/') return files
  if (typeof handler === 'string' && handler.startsWith(folder)) return files
  const paths = [...files.keys()]
  if (!paths.every((path) => path.startsWith(folder))) return files
  return new Map([...files].map(([path, bytes]) => [path.slice(folder.length), bytes]))
}

/**
 * The runtime that the files at the top imply: of the file that the handler names, else of a file with a conventional
 * name, else of the only kind of code there is.
 * @throws PlatformError `invalid-spec` when that is not clear
 */
export function impliedRuntime(files: FileSet, handler: unknown): RuntimeName {
  const top = [...files.keys()].filter((path) => !path.includes('/'))
  const stem = typeof handler === 'string' ? handler.slice(0, handler.lastIndexOf('.')) : ''
  const named = stem === '' ? [] : [...files.keys()].filter((path) => path.replace(/\.[^./]+$/, '') === stem)
  const conventional = top.filter((path) => /^(?:index|main|app|handler|server)\./.test(path))
  const manifest = files.has('package.json') ? ['index.js'] : []
  for (const candidates of [named, conventional, manifest, top]) {
    const runtimes = new Set(candidates.flatMap(runtimeOf))
    const [only] = runtimes
    if (runtimes.size === 1 && only !== undefined) return only
    if (runtimes.size > 1) break
  }
  throw new PlatformError('invalid-spec', {
    detail: `runtime must be given, as the files do not tell: received ${top.slice(0, 10).join(', ') || 'no file at the top'}`,
    members: { field: 'runtime' },
  })
}

function runtimeOf(path: string): RuntimeName[] {
  const kind = kindOfName(path)
  return kind === undefined || kind === 'zip' || kind === 'tar' ? [] : [SINGLE_FILES[kind].implied]
}
