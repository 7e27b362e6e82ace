// /v1/functions/{name}/versions: what was deployed under a name.
import type { FastifyInstance } from 'fastify'

import type { FunctionVersion } from '#core/function'
import { parseFunctionName } from '#core/ids'

import { functionNotFound } from '../directory.ts'
import { json, list, managed, NAME, object, ref } from '../openapi/operation.ts'
import type { GatewayContext } from './context.ts'
import { paramsOf } from './context.ts'

const EXAMPLE = {
  function: 'hello-js',
  version: 1,
  digest: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  spec: { runtime: 'js', memoryMiB: 64 },
  files: [{ path: 'index.js', size: 52, digest: '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae' }],
  toolchain: 'esbuild 0.28.2, componentize-qjs 0.4.5',
  createdAt: 1_795_000_000_000,
}

export function versionRoutes(app: FastifyInstance, context: GatewayContext): void {
  app.get('/v1/functions/:name/versions', {
    config: {
      openapi: {
        tags: ['Functions'],
        operationId: 'listVersions',
        summary: 'List the versions of a function',
        parameters: [NAME],
        responses: {
          200: json('Newest first', object({ versions: list(ref('FunctionVersion')) }), { versions: [EXAMPLE] }),
          ...managed('invalid-name', 'function-not-found'),
        },
      },
    },
    handler: async (request) => {
      const name = parseFunctionName(paramsOf<'name'>(request).name)
      const { functions } = context.deps
      const [record, versions] = await Promise.all([functions.get(name), functions.versions(name)])
      if (record === undefined) throw functionNotFound(name)
      return { versions: versions.map(describe) }
    },
  })
}

function describe(version: FunctionVersion): object {
  const { number, digest, spec, source, toolchain, createdAt } = version
  return { function: version.function, version: number, digest, spec, files: source, toolchain, createdAt }
}
