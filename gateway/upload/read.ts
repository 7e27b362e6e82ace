// From the body of a deploy to a spec and files.
import type { FileSet } from '#core/artifact'
import { PlatformError } from '#core/errors'
import type { FunctionSpec } from '#core/function'
import { parseSpec } from '#core/spec'

import { FileCollector } from './collector.ts'
import { impliedRuntime, withoutTopFolder } from './layout.ts'
import { kindOfMedia, kindOfName, SINGLE_FILES, unsupportedMedia } from './media.ts'
import type { UploadKind } from './media.ts'
import { untar } from './tar.ts'
import { unzip } from './zip.ts'

/** As it came: nothing checked. */
export type PartialSpec = Readonly<Record<string, unknown>>

export interface Upload {
  readonly spec: FunctionSpec
  readonly source: FileSet
}

/** A piece of code as it came: the file name may be missing. */
export interface CodePart {
  readonly contentType: string | undefined
  readonly fileName?: string | undefined
  readonly bytes: Uint8Array
}

/** @throws PlatformError `unsupported-media-type`, `invalid-archive`, `invalid-spec`, `payload-too-large` */
export async function readCode(part: CodePart, spec: PartialSpec, maxBytes: number): Promise<Upload> {
  const kind = kindOf(part)
  if (kind === 'zip' || kind === 'tar') {
    const unpacked = await (kind === 'zip' ? unzip(part.bytes, maxBytes) : untar(part.bytes, maxBytes))
    return layOut(withoutTopFolder(unpacked, spec.handler), spec)
  }
  if (part.bytes.length === 0) {
    throw new PlatformError('invalid-request', { detail: 'expected code in the body: received an empty one' })
  }
  const { path, implied } = SINGLE_FILES[kind]
  return { spec: parseSpec(spec, implied), source: new Map([[path, part.bytes]]) }
}

/**
 * `{ spec, files: { path: text or { base64 } } }`; fields in `query` are those of the spec that the body does not give.
 * @throws PlatformError `invalid-request`, `invalid-archive`, `invalid-spec`, `payload-too-large`
 */
export function readJson(body: Uint8Array, query: PartialSpec, maxBytes: number): Upload {
  const document = parseJson(body)
  const { spec = {}, files, ...rest } = document
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw invalid(`the fields spec and files: received ${JSON.stringify(unknown)}`)
  if (!isObject(spec)) throw invalid('spec to be an object')
  if (!isObject(files)) throw invalid('files to be an object of texts or {"base64": text}')
  const collector = new FileCollector(maxBytes)
  for (const [path, content] of Object.entries(files)) collector.add(path, contentOf(path, content))
  return layOut(collector.files(), joinSpec(spec, query))
}

/** @throws PlatformError `invalid-spec` when both name a field: neither would be sure to be meant */
export function joinSpec(body: PartialSpec, query: PartialSpec): PartialSpec {
  const twice = Object.keys(query).find((field) => Object.hasOwn(body, field))
  if (twice === undefined) return { ...body, ...query }
  throw new PlatformError('invalid-spec', {
    detail: `expected ${JSON.stringify(twice)} once: received it in the body and in the query`,
    members: { field: twice },
  })
}

/** @throws PlatformError `invalid-request` when it is not a JSON object */
export function parseJson(body: Uint8Array): Record<string, unknown> {
  let document: unknown
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    throw invalid(`JSON: ${(error as Error).message}`)
  }
  if (!isObject(document)) throw invalid('a JSON object')
  return document
}

/** By file name first: clients send `application/octet-stream` for what they do not know. */
function kindOf({ contentType, fileName }: CodePart): UploadKind {
  const kind = (fileName === undefined ? undefined : kindOfName(fileName)) ?? kindOfMedia(contentType)
  if (kind === undefined) throw unsupportedMedia(contentType ?? '')
  return kind
}

function layOut(source: FileSet, spec: PartialSpec): Upload {
  const implied = spec.runtime === undefined ? impliedRuntime(source, spec.handler) : 'js'
  return { source, spec: parseSpec(spec, implied) }
}

function contentOf(path: string, content: unknown): Uint8Array {
  if (typeof content === 'string') return Buffer.from(content)
  if (isObject(content) && typeof content.base64 === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(content.base64)) {
    return Buffer.from(content.base64, 'base64')
  }
  throw invalid(`text or {"base64": text} for the file ${JSON.stringify(path.slice(0, 120))}`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(expectation: string): PlatformError {
  return new PlatformError('invalid-request', { detail: `expected ${expectation}` })
}
