// A queued invocation as the data of a BullMQ job. Large bodies are kept beside the job.
import { isUtf8 } from 'node:buffer'

import type { FunctionName, InvocationId, VersionNumber } from '#core/ids'
import type { QueuedInvocation } from '#core/queue'

/** Larger bodies, bytes, are not in the job itself: BullMQ scripts copy the job on every move. */
export const LARGEST_INLINE_BODY = 128 * 1024

type BodyEncoding = 'utf8' | 'base64' | 'beside'

interface JobData {
  readonly version: VersionNumber
  readonly request: Omit<QueuedInvocation['request'], 'body'> & { readonly body: string }
  readonly encoding: BodyEncoding
  readonly acceptedAt: number
  readonly maxAttempts: number
}

export function encodeQueued(invocation: QueuedInvocation): { data: string; beside: Uint8Array | undefined } {
  const { version, request, acceptedAt, maxAttempts } = invocation
  const encoding = encodingOf(request.body)
  const body = encoding === 'beside' ? '' : Buffer.from(request.body).toString(encoding)
  const data: JobData = { version, request: { ...request, body }, encoding, acceptedAt, maxAttempts }
  return { data: JSON.stringify(data), beside: encoding === 'beside' ? request.body : undefined }
}

/** @param beside fetches the body that is kept beside the job */
export async function decodeQueued(
  name: FunctionName,
  id: InvocationId,
  data: string,
  beside: () => Promise<Uint8Array>,
): Promise<QueuedInvocation> {
  const { encoding, request, ...rest } = JSON.parse(data) as JobData
  const body = encoding === 'beside' ? await beside() : Buffer.from(request.body, encoding)
  return { id, function: name, ...rest, request: { ...request, body } }
}

function encodingOf(body: Uint8Array): BodyEncoding {
  if (body.length > LARGEST_INLINE_BODY) return 'beside'
  return isUtf8(body) ? 'utf8' : 'base64'
}
