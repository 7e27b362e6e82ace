// A queued invocation as the data of a BullMQ job. Large bodies are kept beside the job.
import { isUtf8 } from 'node:buffer'

import { deliveriesOf, type FunctionName, type InvocationId, type LaneName } from '#core/ids'
import type { QueuedInvocation } from '#core/queue'

/** Larger bodies, bytes, are not in the job itself: BullMQ scripts copy the job on every move. */
export const LARGEST_INLINE_BODY = 128 * 1024

type Body =
  | { readonly encoding: 'utf8' | 'base64'; readonly body: string }
  /** `body` is the field that it is kept under. */
  | { readonly encoding: 'beside'; readonly body: string }

interface JobData extends Omit<QueuedInvocation, 'id' | 'function' | 'request'> {
  readonly request: Omit<QueuedInvocation['request'], 'body'> & { readonly body: string }
  readonly encoding: Body['encoding']
}

/** Jobs of before lanes had priorities and policies. */
interface OldJobData extends Pick<JobData, 'version' | 'request' | 'encoding' | 'acceptedAt'> {
  readonly maxAttempts: number
}

export interface EncodedJob {
  readonly data: string
  /** What is to be kept beside the job, under the field that the data names. */
  readonly beside: { readonly field: string; readonly body: Buffer } | undefined
}

/** @param revision of the request: another one gets another place beside the job, so that no crash can mix the two */
export function encodeQueued(invocation: QueuedInvocation, revision = 1): EncodedJob {
  const { id, function: _, request, ...rest } = invocation
  // Of the same memory: the client of Redis knows bytes as Buffers only.
  const bytes = Buffer.from(request.body.buffer, request.body.byteOffset, request.body.length)
  const { encoding, body } = encodeBody(bytes, revision === 1 ? id : `${id}:${revision}`)
  const data: JobData = { ...rest, request: { ...request, body }, encoding }
  const beside = encoding === 'beside' ? { field: body, body: bytes } : undefined
  return { data: JSON.stringify(data), beside }
}

export interface DecodedJob {
  readonly invocation: QueuedInvocation
  /** Where its body is kept beside the job. */
  readonly field: string | undefined
}

/** @param beside fetches what is kept beside the job */
export async function decodeQueued(
  lane: LaneName,
  id: InvocationId,
  data: string,
  beside: (field: string) => Promise<Uint8Array>,
): Promise<DecodedJob> {
  const { encoding, request, ...rest } = upgrade(JSON.parse(data) as JobData | OldJobData)
  const field = encoding === 'beside' ? request.body || id : undefined
  const body = encoding === 'beside' ? await beside(request.body || id) : Buffer.from(request.body, encoding)
  return { invocation: { id, function: functionOf(lane), ...rest, request: { ...request, body } }, field }
}

/** The function whose calls, or what is told about them, wait in a lane. */
export function functionOf(lane: LaneName): FunctionName {
  return deliveriesOf(lane) ?? (lane as FunctionName)
}

function encodeBody(body: Buffer, field: string): Body {
  if (body.length > LARGEST_INLINE_BODY) return { encoding: 'beside', body: field }
  const encoding = isUtf8(body) ? 'utf8' : 'base64'
  return { encoding, body: body.toString(encoding) }
}

function upgrade(data: JobData | OldJobData): JobData {
  if (!('maxAttempts' in data)) return data
  const { maxAttempts, ...rest } = data
  const retry = { maxAttempts, backoff: 'exponential', delayMs: 1_000, maxDelayMs: 300_000 } as const
  return { ...rest, retry, trigger: 'async', cause: {}, priority: 0 }
}
