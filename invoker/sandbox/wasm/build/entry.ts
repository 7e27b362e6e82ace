// Which file of an upload is the function, and which of its exports.
import { Refusal, type BuildJob } from './job.ts'

export interface Entry {
  readonly path: string
  /** Empty: `default`, else `handler`. */
  readonly exportName: string
}

const EXTENSIONS = ['ts', 'tsx', 'mts', 'js', 'mjs', 'jsx', 'cjs', 'cts']
const STEMS = ['index', 'main', 'handler', 'app', 'src/index', 'src/main']

/**
 * `handler` names it as `file.export`; else package.json's `main`, index.* or main.*, also in src/, or the only source
 * file.
 * @throws Refusal naming what was looked for
 */
export function findEntry(source: BuildJob['source'], handler: string): Entry {
  if (handler !== '') {
    const dot = handler.lastIndexOf('.')
    const stem = handler.slice(0, dot)
    const path = [stem, ...EXTENSIONS.map((extension) => `${stem}.${extension}`)].find((name) => source.has(name))
    if (path !== undefined) return { path, exportName: handler.slice(dot + 1) }
    throw new Refusal({
      message: `the handler "${handler}" asks for a file ${stem}.{${EXTENSIONS.join(',')}}: the upload has ${listed(source)}`,
    })
  }
  const path = packageMain(source) ?? conventional(source) ?? onlyOne(source)
  if (path !== undefined) return { path, exportName: '' }
  throw new Refusal({
    message: `expected index.ts, index.js or another entry by convention, or "handler" in the spec: the upload has ${listed(source)}`,
  })
}

function conventional(source: BuildJob['source']): string | undefined {
  return STEMS.flatMap((stem) => EXTENSIONS.map((extension) => `${stem}.${extension}`)).find((path) => source.has(path))
}

function packageMain(source: BuildJob['source']): string | undefined {
  const bytes = source.get('package.json')
  if (bytes === undefined) return undefined
  try {
    const { main } = JSON.parse(new TextDecoder().decode(bytes)) as { main?: unknown }
    const path = typeof main === 'string' ? main.replace(/^\.\//, '') : ''
    return source.has(path) ? path : undefined
  } catch {
    return undefined
  }
}

function onlyOne(source: BuildJob['source']): string | undefined {
  const candidates = [...source.keys()].filter(
    (path) => !path.includes('node_modules/') && EXTENSIONS.includes(path.slice(path.lastIndexOf('.') + 1)),
  )
  return candidates.length === 1 ? candidates[0] : undefined
}

function listed(source: BuildJob['source']): string {
  const paths = [...source.keys()].filter((path) => !path.includes('node_modules/'))
  const shown = paths.slice(0, 8).join(', ')
  return paths.length > 8 ? `${shown} and ${paths.length - 8} more` : shown || 'no files'
}
