// A deploy as multipart/form-data: a `code` part and, unless the defaults do, a `spec` part.
import type { Multipart } from '@fastify/multipart'

import { PlatformError } from '#core/errors'

import { uploadTooLarge } from './collector.ts'
import { parseJson, readCode } from './read.ts'
import type { CodePart, Upload } from './read.ts'

/** @throws PlatformError `invalid-request` and those of readCode */
export async function readMultipart(parts: AsyncIterable<Multipart>, maxBytes: number): Promise<Upload> {
  const received = new Map<string, CodePart>()
  for await (const part of parts) {
    if (part.fieldname !== 'spec' && part.fieldname !== 'code') {
      throw invalid(`the parts spec and code: received ${JSON.stringify(part.fieldname)}`)
    }
    if (received.has(part.fieldname)) throw invalid(`one ${part.fieldname} part: received another`)
    received.set(part.fieldname, await contentOf(part, maxBytes))
  }
  const code = received.get('code')
  if (code === undefined) throw invalid('a code part: received none')
  const spec = received.get('spec')
  return readCode(code, spec === undefined ? {} : parseJson(spec.bytes), maxBytes)
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
