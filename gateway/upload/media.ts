// What an upload is, by its media type or its file name.
import { PlatformError } from '#core/errors'
import type { RuntimeName } from '#core/function'

export type UploadKind = 'javascript' | 'typescript' | 'python' | 'wasm' | 'zip' | 'tar'

/** Of a single source file: its conventional path, the runtime that it implies, and what it is given back as. */
export const SINGLE_FILES: Readonly<
  Record<Exclude<UploadKind, 'zip' | 'tar'>, { path: string; implied: RuntimeName }>
> = {
  javascript: { path: 'index.js', implied: 'js' },
  typescript: { path: 'index.ts', implied: 'js' },
  python: { path: 'main.py', implied: 'python' },
  wasm: { path: 'main.wasm', implied: 'wasm' },
}

export const MEDIA_TYPES: Readonly<Record<string, UploadKind>> = {
  'text/javascript': 'javascript',
  'application/javascript': 'javascript',
  'application/typescript': 'typescript',
  'text/typescript': 'typescript',
  'text/x-python': 'python',
  'application/x-python': 'python',
  'application/wasm': 'wasm',
  'application/zip': 'zip',
  'application/x-zip-compressed': 'zip',
  'application/gzip': 'tar',
  'application/x-gzip': 'tar',
  'application/x-gtar': 'tar',
  'application/x-tar': 'tar',
}

const EXTENSIONS: readonly (readonly [RegExp, UploadKind])[] = [
  [/\.[cm]?js$/i, 'javascript'],
  [/\.[cm]?ts$/i, 'typescript'],
  [/\.py$/i, 'python'],
  [/\.wasm$/i, 'wasm'],
  [/\.zip$/i, 'zip'],
  [/\.(?:tgz|tar\.gz|tar)$/i, 'tar'],
]

const GIVEN_BACK: Readonly<Partial<Record<UploadKind, string>>> = {
  javascript: 'text/javascript; charset=utf-8',
  typescript: 'application/typescript; charset=utf-8',
  python: 'text/x-python; charset=utf-8',
  wasm: 'application/wasm',
}

/** Media type of a stored file when it is given back. */
export function mediaTypeOf(path: string): string {
  const kind = kindOfName(path)
  return (kind === undefined ? undefined : GIVEN_BACK[kind]) ?? 'application/octet-stream'
}

/** Without parameters, lower case. */
export function essence(contentType: string | undefined): string {
  return (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}

export function kindOfMedia(contentType: string | undefined): UploadKind | undefined {
  return Object.hasOwn(MEDIA_TYPES, essence(contentType)) ? MEDIA_TYPES[essence(contentType)] : undefined
}

export function kindOfName(fileName: string): UploadKind | undefined {
  return EXTENSIONS.find(([pattern]) => pattern.test(fileName))?.[1]
}

export function unsupportedMedia(received: string): PlatformError {
  const known = [...Object.keys(MEDIA_TYPES), 'multipart/form-data', 'application/json']
  return new PlatformError('unsupported-media-type', {
    detail: `expected one of ${known.join(', ')}: received ${received === '' ? 'no Content-Type' : received}`,
  })
}
