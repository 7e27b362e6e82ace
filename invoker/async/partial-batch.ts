// Batches of events of which a function could do only some. Pure.
import type { QueuedInvocation } from '#core/queue'
import type { RecordResult } from '#core/record'

const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c]
/** Of arrays and objects. */
const [OPENING, CLOSING]: [readonly unknown[], readonly unknown[]] = [
  [0x5b, 0x7b],
  [0x5d, 0x7d],
]

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
 * The invocation with these of its events alone, byte for byte. Its body is a JSON array of structured CloudEvents; one
 * that is not stays as it is.
 */
export function withOnly(
  { request, cause }: QueuedInvocation,
  left: readonly string[],
): Pick<QueuedInvocation, 'request' | 'cause'> {
  const wanted = new Set<unknown>(left)
  const json = Buffer.from(request.body.buffer, request.body.byteOffset, request.body.length)
  const events = parse(json.toString())
  if (!Array.isArray(events)) return { request, cause }
  const texts = itemsOf(json).filter((_, index) => wanted.has((events[index] as { id?: unknown } | null)?.id))
  const body = Buffer.from(`[${texts.join(',')}]`)
  const headers = request.headers.map(([name, value]) =>
    name === 'content-length' ? ([name, String(body.length)] as const) : ([name, value] as const),
  )
  return { request: { ...request, headers, body }, cause: { ...cause, events: left } }
}

/**
 * The texts of the items of an array, as they are written: a number may have more digits than one that is parsed.
 * @param json that is valid
 */
function itemsOf(json: Buffer): readonly string[] {
  const items: string[] = []
  let [start, depth, inText] = [0, 0, false]
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]
    if (inText) {
      if (byte === BACKSLASH) at++
      else if (byte === QUOTE) inText = false
      continue
    }
    if (byte === QUOTE) inText = true
    if (OPENING.includes(byte) && ++depth === 1) start = at + 1
    const isEnd = CLOSING.includes(byte) && --depth === 0
    if (!isEnd && !(byte === COMMA && depth === 1)) continue
    items.push(json.toString('utf8', start, at))
    start = at + 1
  }
  return items
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
