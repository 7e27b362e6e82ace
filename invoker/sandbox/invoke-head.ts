import type { Invocation } from '#core/invocation'

/** What JSON takes as it is; the rest of what is in a URL is escaped there. */
const PLAIN = /^[\x20!\x23-\x5b\x5d-\x7e]*$/

/**
 * The JSON of an InvokeHead. Put together by hand, for most of it is known to be plain, and the headers, which are most of
 * it, may have been JSON before: a third of the time of JSON.stringify.
 */
export function invokeHead({ id, request, attempt }: Invocation, deadline: number): string {
  const { method, target, origin, headers, headersJson = JSON.stringify(headers) } = request
  return `{"id":"${id}","method":${quoted(method)},"target":${quoted(target)},"origin":${quoted(origin)},"headers":${headersJson},"attempt":${attempt},"deadline":${deadline}}`
}

function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text)
}
