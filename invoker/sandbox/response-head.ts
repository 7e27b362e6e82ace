// Checks the head of a response that a sandbox gives, so that what reaches the HTTP server is always sendable.
import { FrameError, parseJson } from '#core/frames'
import type { ResponseHead } from '#core/invocation'
import type { FunctionFailure } from '#core/outcome'

// RFC 9110 §5.6.2 token and §5.5 field value
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
// oxlint-disable-next-line no-control-regex -- the control characters are what must not be there
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * @returns the head, or what is wrong with it, which is the function's failure
 * @throws FrameError when the agent, not the function, is at fault
 */
export function readResponseHead(value: unknown): ResponseHead | FunctionFailure {
  const head = value as Partial<ResponseHead> | null
  if (!Array.isArray(head?.headers)) throw new FrameError('a response head has status and headers')
  const { status, headers } = head as ResponseHead
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    return invalid(`a status is an integer in [200, 599]: received ${JSON.stringify(status)}`)
  }
  for (const header of headers) {
    if (!Array.isArray(header) || typeof header[0] !== 'string' || typeof header[1] !== 'string') {
      throw new FrameError('a header is a pair of texts')
    }
    if (!NAME.test(header[0])) return invalid(`the header name ${JSON.stringify(header[0])} is not valid`)
    if (!VALUE.test(header[1])) return invalid(`the value of the header ${JSON.stringify(header[0])} is not valid`)
  }
  return { status, headers }
}

/** Heads that are longer mostly differ each time. */
const MOST_KEPT_BYTES = 512
/** A power of two. */
const KEPT = 8

interface KeptHead {
  readonly text: string
  readonly head: ResponseHead | FunctionFailure
}

/**
 * Reads the heads of one sandbox's responses. Most of them repeat, and to compare one costs a fifth of reading it, so some
 * are kept: the last one of each length, as far as lengths differ in their last bits.
 */
export class ResponseHeadReader {
  readonly #kept: (KeptHead | undefined)[] = Array.from({ length: KEPT }, () => undefined)

  /** As readResponseHead, of the JSON in these bytes of a payload. The same object for the same JSON, mostly. */
  read(payload: Buffer, start: number, end: number): ResponseHead | FunctionFailure {
    const length = end - start
    if (length > MOST_KEPT_BYTES) return readResponseHead(parseJson(payload.subarray(start, end)))
    // Not as UTF-8: the bytes are only compared.
    const text = payload.toString('latin1', start, end)
    const place = length & (KEPT - 1)
    const kept = this.#kept[place]
    if (kept !== undefined && kept.text === text) return kept.head
    const head = readResponseHead(parseJson(payload.subarray(start, end)))
    this.#kept[place] = { text, head }
    return head
  }
}

function invalid(message: string): FunctionFailure {
  return { type: 'InvalidResponse', message }
}
