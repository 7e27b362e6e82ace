// What a request may weigh. Checked before a sandbox is taken, the same on every driver.
import { PlatformError } from './errors.ts'
import type { HeaderList } from './invocation.ts'

export interface RequestLimits {
  /** Number of headers. */
  readonly maxHeaders: number
  /** Bytes of all names and values. */
  readonly maxHeaderBytes: number
  /** Bytes of a body. */
  readonly maxBodyBytes: number
}

/** @throws PlatformError `too-many-headers` */
export function checkHeaders(headers: HeaderList, limits: RequestLimits): void {
  if (headers.length > limits.maxHeaders) {
    throw new PlatformError('too-many-headers', {
      detail: `at most ${limits.maxHeaders} headers (HEARTH_MAX_HEADERS): received ${headers.length}`,
      members: { limit: limits.maxHeaders },
    })
  }
  let bytes = 0
  for (const [name, value] of headers) bytes += name.length + value.length
  if (bytes > limits.maxHeaderBytes) {
    throw new PlatformError('too-many-headers', {
      detail: `at most ${limits.maxHeaderBytes} bytes of headers (HEARTH_MAX_HEADER_BYTES): received ${bytes}`,
      members: { limit: limits.maxHeaderBytes },
    })
  }
}

/** @throws PlatformError `payload-too-large` */
export function checkBodySize(bytes: number, limits: RequestLimits): void {
  if (bytes <= limits.maxBodyBytes) return
  throw new PlatformError('payload-too-large', {
    detail: `a body has at most ${limits.maxBodyBytes} bytes (HEARTH_MAX_BODY_BYTES): received ${bytes}`,
    members: { limit: limits.maxBodyBytes },
  })
}

/** Path and query that a function sees, where it is said apart from a URL: nothing that could break out of a request line. */
export const TARGET_PATTERN = /^\/[\x21-\x7e]{0,8191}$/
export const TARGET_EXPECTED = 'a percent-encoded path that starts with "/", of at most 8192 characters'
