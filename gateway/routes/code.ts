// /v1/functions/{name}/code: what was uploaded.
import type { FastifyInstance } from 'fastify'

import type { FileSet } from '#core/artifact'
import { PlatformError } from '#core/errors'
import type { FunctionVersion } from '#core/function'
import { parseFunctionName, parseVersionNumber } from '#core/ids'

import { integer, managed, media, NAME, queryParam } from '../openapi/operation.ts'
import type { Operation } from '../openapi/operation.ts'
import { mediaTypeOf } from '../upload/media.ts'
import { toTarGz, toZip } from '../upload/pack.ts'
import type { GatewayContext } from './context.ts'
import { paramsOf, queryOf } from './context.ts'

const FORMATS = ['raw', 'tar.gz', 'zip'] as const
type Format = (typeof FORMATS)[number]

export function codeRoutes(app: FastifyInstance, context: GatewayContext): void {
  app.get('/v1/functions/:name/code', {
    config: { openapi: OPERATION },
    handler: async (request, reply) => {
      const name = parseFunctionName(paramsOf<'name'>(request).name)
      const { version: wanted, format } = queryOf(request)
      const selector = wanted === undefined ? name : `${name}@${parseVersionNumber(String(wanted))}`
      const version = await context.directory.resolve(selector)
      const files = await filesOf(context, version, request.cancel)
      const answer = await render(files, parseFormat(format, files.size), `${name}-${version.number}`)
      reply.header('content-type', answer.type)
      reply.header('content-disposition', `attachment; filename="${answer.fileName}"`)
      reply.header('etag', `"${version.digest}"`)
      return reply.send(answer.bytes)
    },
  })
}

async function filesOf(context: GatewayContext, version: FunctionVersion, signal: AbortSignal): Promise<FileSet> {
  const { blobs } = context.deps
  const entries = version.source.map(async ({ path, digest }) => [path, await blobs.get(digest, signal)] as const)
  return new Map(await Promise.all(entries))
}

interface Rendered {
  readonly type: string
  readonly fileName: string
  readonly bytes: Uint8Array
}

async function render(files: FileSet, format: Format, stem: string): Promise<Rendered> {
  switch (format) {
    case 'raw': {
      const [[path, bytes] = ['', new Uint8Array(0)]] = files
      return { type: mediaTypeOf(path), fileName: path.slice(path.lastIndexOf('/') + 1), bytes }
    }
    case 'zip':
      return { type: 'application/zip', fileName: `${stem}.zip`, bytes: toZip(files) }
    case 'tar.gz':
      return { type: 'application/gzip', fileName: `${stem}.tar.gz`, bytes: await toTarGz(files) }
    default:
      return format satisfies never
  }
}

function parseFormat(value: unknown, count: number): Format {
  if (value === undefined) return count === 1 ? 'raw' : 'tar.gz'
  const format = FORMATS.find((known) => known === value)
  if (format !== undefined && (format !== 'raw' || count === 1)) return format
  const expected = count === 1 ? FORMATS.join(', ') : 'tar.gz, zip, as there are several files'
  throw new PlatformError('invalid-request', {
    detail: `format must be one of ${expected}: received ${JSON.stringify(value)}`,
  })
}

const BINARY = { type: 'string', format: 'binary' }

const OPERATION: Operation = {
  tags: ['Functions'],
  operationId: 'getCode',
  summary: 'Get the code of a function back',
  description: 'A single file comes as it is, several as an archive whose bytes depend on nothing but the files.',
  parameters: [
    NAME,
    queryParam('version', integer('Default: the live one', { minimum: 1 })),
    queryParam('format', { type: 'string', enum: FORMATS, description: 'Default: raw for a single file, else tar.gz' }),
  ],
  responses: {
    200: media('The code', { 'text/javascript': BINARY, 'application/gzip': BINARY, 'application/zip': BINARY }),
    ...managed('invalid-name', 'invalid-request', 'function-not-found', 'version-not-found'),
  },
}
