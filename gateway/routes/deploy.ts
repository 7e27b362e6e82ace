// PUT /v1/functions/{name}: a deploy, with progress while it builds for those who ask.
import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

import { asPlatformError, problemOf } from '#core/errors'
import { parseFunctionName } from '#core/ids'
import type { FunctionName } from '#core/ids'

import { Deployer } from '../deploy.ts'
import type { Deployed } from '../deploy.ts'
import { originOf } from '../invoke/headers.ts'
import { specProperties } from '../openapi/components.ts'
import { json, managed, media, NAME, object, queryParam, ref } from '../openapi/operation.ts'
import type { Operation, Schema } from '../openapi/operation.ts'
import { essence, MEDIA_TYPES } from '../upload/media.ts'
import { readMultipart } from '../upload/multipart.ts'
import { readCode, readJson } from '../upload/read.ts'
import type { Upload } from '../upload/read.ts'
import type { GatewayContext } from './context.ts'
import { paramsOf, queryOf } from './context.ts'

const NDJSON = 'application/x-ndjson'

const EXAMPLE = {
  function: 'hello-js',
  version: 1,
  created: true,
  digest: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  url: 'http://127.0.0.1:8787/fn/hello-js',
  createdAt: 1_795_000_000_000,
}

export async function deployRoutes(app: FastifyInstance, context: GatewayContext): Promise<void> {
  const { maxUploadBytes } = context.options
  const deployer = new Deployer(context.deps, context.directory)
  // Uploads are read by upload/, whatever their type.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxUploadBytes }, (_request, body, done) =>
    done(null, body),
  )
  await app.register(multipart, {
    limits: { fileSize: maxUploadBytes, fieldSize: maxUploadBytes, files: 2, fields: 2, parts: 4 },
  })
  app.put('/v1/functions/:name', {
    bodyLimit: maxUploadBytes,
    config: { openapi: OPERATION, limit: 'HEARTH_MAX_UPLOAD_BYTES' },
    handler: async (request, reply) => {
      const name = parseFunctionName(paramsOf<'name'>(request).name)
      const upload = await readUpload(request, maxUploadBytes)
      const origin = originOf(request.raw, context.options.trustProxy)
      if (request.headers.accept?.includes(NDJSON))
        return stream(context, deployer, { name, upload, request, reply, origin })
      const deployed = await deployer.deploy(name, upload, { onProgress: () => {}, signal: request.cancel })
      reply.code(deployed.created ? 201 : 200).header('location', `/v1/functions/${name}`)
      return describe(deployed, origin)
    },
  })
}

async function readUpload(request: FastifyRequest, maxBytes: number): Promise<Upload> {
  const query = queryOf(request)
  if (request.isMultipart()) return readMultipart(request.parts(), query, maxBytes)
  const bytes = (request.body ?? Buffer.alloc(0)) as Buffer
  const contentType = request.headers['content-type']
  if (essence(contentType) === 'application/json') return readJson(bytes, query, maxBytes)
  return readCode({ contentType, bytes }, query, maxBytes)
}

interface StreamedDeploy {
  readonly name: FunctionName
  readonly upload: Upload
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly origin: string
}

/** A line of JSON for every step, then one with the result or the problem: the status has long been sent. */
async function stream(context: GatewayContext, deployer: Deployer, deploy: StreamedDeploy): Promise<void> {
  const { name, upload, request, reply, origin } = deploy
  const res = reply.hijack().raw
  const send = (line: object): void => {
    if (!res.destroyed) res.write(`${JSON.stringify(line)}\n`)
  }
  res.writeHead(200, { 'content-type': NDJSON, 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  res.flushHeaders()
  try {
    const onProgress = (progress: object): void => send({ type: 'progress', ...progress })
    const deployed = await deployer.deploy(name, upload, { onProgress, signal: request.cancel })
    send({ type: 'result', ...describe(deployed, origin) })
  } catch (thrown) {
    const error = asPlatformError(thrown)
    if (error.code === 'internal') context.deps.onFault(thrown, request.id)
    send({ type: 'error', problem: { ...problemOf(error), instance: `urn:uuid:${request.id}` } })
  }
  res.end()
}

function describe({ version, created }: Deployed, origin: string): object {
  return {
    function: version.function,
    version: version.number,
    created,
    digest: version.digest,
    url: `${origin}/fn/${version.function}`,
    createdAt: version.createdAt,
  }
}

const CODE: Schema = { type: 'string', format: 'binary' }
const MULTIPART = object({ code: CODE }, { spec: ref('FunctionSpec') })
const FILE: Schema = { oneOf: [{ type: 'string' }, object({ base64: { type: 'string', contentEncoding: 'base64' } })] }
const FILES = object({ files: { type: 'object', additionalProperties: FILE } }, { spec: ref('FunctionSpec') })

const OPERATION: Operation = {
  tags: ['Functions'],
  operationId: 'deployFunction',
  summary: 'Deploy a function',
  description: `Makes a new version and lets unqualified calls use it. The fields of the spec come by query or in the
\`spec\` of a multipart or JSON body, each once. An archive that holds a single folder is taken for the content of that folder.
With \`Accept: ${NDJSON}\` the answer is a stream of lines: \`{"type":"progress","step","message"}\`, then
\`{"type":"result",…}\` or \`{"type":"error","problem"}\`.`,
  parameters: [NAME, ...Object.entries(specProperties()).map(([name, schema]) => queryParam(name, schema))],
  requestBody: {
    required: true,
    content: {
      ...Object.fromEntries(Object.keys(MEDIA_TYPES).map((type) => [type, { schema: CODE }])),
      'multipart/form-data': { schema: MULTIPART },
      'application/json': { schema: FILES },
    },
  },
  responses: {
    201: json('A new version', ref('Deployed'), EXAMPLE),
    200: {
      ...media('', { 'application/json': ref('Deployed'), [NDJSON]: { type: 'string' } }),
      description: 'Code and spec are those of the live version; or progress, when asked for',
    },
    ...managed(
      'invalid-name',
      'invalid-spec',
      'invalid-archive',
      'invalid-request',
      'payload-too-large',
      'unsupported-media-type',
      'build-failed',
      'driver-unavailable',
    ),
  },
}
