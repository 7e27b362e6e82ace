// A deploy as multipart/form-data: a `code` part and, unless the defaults do, a `spec` part.
import type { Multipart } from '@fastify/multipart'

import { PlatformError } from '#core/errors'

import { uploadTooLarge } from './collector.ts'
import { joinSpec, parseJson, readCode } from './read.ts'
import type { CodePart, PartialSpec, Upload } from './read.ts'

/**
 * Fields in `query` are those of the spec that the parts do not give.
 * @throws PlatformError `invalid-request` and those of readCode
 */
export async function readMultipart(
  parts: AsyncIterable<Multipart>,
  query: PartialSpec,
  maxBytes: number,
): Promise<Upload> {
  const received = await readParts(parts, maxBytes).catch((error: unknown) => {
    throw hasStatus(error) ? error : invalid(`multipart/form-data: ${(error as Error).message}`)
  })
  const code = received.get('code')
  if (code === undefined) throw invalid('a code part: received none')
  const spec = received.get('spec')
  return readCode(code, joinSpec(spec === undefined ? {} : parseJson(spec.bytes), query), maxBytes)
}

async function readParts(parts: AsyncIterable<Multipart>, maxBytes: number): Promise<ReadonlyMap<string, CodePart>> {
  const received = new Map<string, CodePart>()
  for await (const part of parts) {
    if (part.fieldname !== 'spec' && part.fieldname !== 'code') {
      throw invalid(`the parts spec and code: received ${JSON.stringify(part.fieldname)}`)
    }
    if (received.has(part.fieldname)) throw invalid(`one ${part.fieldname} part: received another`)
    received.set(part.fieldname, await contentOf(part, maxBytes))
  }
  return received
}

/** Ours and those of the plugin know their status; what the parser throws is about the body. */
function hasStatus(error: unknown): boolean {
  return error instanceof PlatformError || (error as { statusCode?: unknown }).statusCode !== undefined
}

async function contentOf(part: Multipart, maxBytes: number): Promise<CodePart> {
  if (part.type === 'file') {
    const bytes = await part.toBuffer()
    return { contentType: part.mimetype, fileName: part.filename, bytes }
  }
  if (part.valueTruncated) throw uploadTooLarge(maxBytes)
  // The parser has already read a field that says it is JSON.
  const text = typeof part.value === 'string' ? part.value : JSON.stringify(part.value)
  return { contentType: part.mimetype, bytes: Buffer.from(text) }
}

function invalid(expectation: string): PlatformError {
  return new PlatformError('invalid-request', { detail: `expected ${expectation}` })
}
