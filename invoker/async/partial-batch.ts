// Batches of events of which a function could do only some. Pure.
import type { QueuedInvocation } from '#core/queue'
import type { RecordResult } from '#core/record'

/**
 * The ids of the events that are to be tried again. A function says so in a 2xx response with the JSON
 * `{"batchItemFailures":[{"itemIdentifier":"<id of the event>"}]}`, as with AWS Lambda; when it names an event that was
 * not in the batch, all of it is tried again.
 * @returns undefined when nothing was said to have failed
 */
export function failedEvents(
  events: readonly string[],
  { status, body, bodyEncoding }: RecordResult,
): readonly string[] | undefined {
  if (events.length === 0 || status < 200 || status > 299) return undefined
  if (bodyEncoding !== 'utf8' || body === undefined || !body.includes('batchItemFailures')) return undefined
  const failures = (parse(body) as { batchItemFailures?: unknown } | null | undefined)?.batchItemFailures
  if (!Array.isArray(failures) || failures.length === 0) return undefined
  const named = new Set(failures.map((failure: { itemIdentifier?: unknown } | null) => failure?.itemIdentifier))
  const known = new Set<unknown>(events)
  return named.isSubsetOf(known) ? events.filter((id) => named.has(id)) : events
}

/**
 * The invocation with these of its events alone. Its body is a JSON array of structured CloudEvents; one that is not
 * stays as it is.
 */
export function withOnly(
  { request, cause }: QueuedInvocation,
  left: readonly string[],
): Pick<QueuedInvocation, 'request' | 'cause'> {
  const wanted = new Set<unknown>(left)
  const events = parse(Buffer.from(request.body).toString())
  if (!Array.isArray(events)) return { request, cause }
  const body = Buffer.from(JSON.stringify(events.filter((event: { id?: unknown } | null) => wanted.has(event?.id))))
  const headers = request.headers.map(([name, value]) =>
    name === 'content-length' ? ([name, String(body.length)] as const) : ([name, value] as const),
  )
  return { request: { ...request, headers, body }, cause: { ...cause, events: left } }
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
