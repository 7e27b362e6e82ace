// CloudEvents 1.0 between the wire and core/event.ts. Knows HTTP and JSON, and nothing of triggers. The rules of the
// attributes are the SDK's; reading and writing are ours, for the SDK invents an id and a time where there is none, rounds
// times to ms, does not percent-encode headers, and makes data of bytes that are not the ones that came.
import { CloudEvent as SdkEvent, ValidationError } from 'cloudevents'

import { PlatformError } from '#core/errors'
import type { CloudEvent, EventAttributes } from '#core/event'

const REQUIRED = ['id', 'source', 'type'] as const
const NAME = /^[a-z0-9]+$/
const CONTROL = /\p{Cc}/u
/** What can be in a header as it is. */
export const PRINTABLE = /^[\x20-\x7e]+$/

/**
 * Checked attributes and data as an event.
 * @param given by name; null and undefined: not there. `specversion` may be among them and is then checked
 * @throws PlatformError `invalid-event`, naming the attribute in `detail` and in `attribute`
 */
export function makeEvent(given: Readonly<Record<string, unknown>>, data: Uint8Array): CloudEvent {
  const { specversion, ...rest } = present(given)
  if (specversion !== undefined && specversion !== '1.0') throw invalid('specversion', 'be "1.0"', specversion)
  for (const name of REQUIRED) {
    if (rest[name] === undefined || rest[name] === '') throw invalid(name, 'be a non-empty text', rest[name])
  }
  for (const [name, value] of Object.entries(rest)) checkShape(name, value)
  checkBySdk(rest)
  return { attributes: rest as EventAttributes, data }
}

function present(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== null))
}

function checkShape(name: string, value: unknown): void {
  if (!NAME.test(name) || name === 'data') throw invalid(name, 'have a name of a-z and 0-9 other than data', value)
  // Neither in the specification nor in a header.
  if (typeof value === 'string' && CONTROL.test(value)) throw invalid(name, 'have no control characters', value)
  if (typeof value === 'string' && !value.isWellFormed()) throw invalid(name, 'be Unicode', value)
  if (name === 'datacontenttype' && typeof value === 'string' && !PRINTABLE.test(value)) {
    throw invalid(name, 'be a media type in printable ASCII', value)
  }
  const isInteger = Number.isInteger(value) && (value as number) >= -(2 ** 31) && (value as number) < 2 ** 31
  if (typeof value === 'string' || typeof value === 'boolean' || isInteger) return
  throw invalid(name, 'be a text, a boolean or a 32-bit integer', value)
}

function checkBySdk(attributes: Readonly<Record<string, unknown>>): void {
  try {
    // It checks itself when it is made.
    void new SdkEvent(attributes)
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error
    const [first] = (error.errors ?? []) as { instancePath?: string; message?: string }[]
    const name = first?.instancePath?.slice(1) ?? ''
    throw invalid(name, first?.message?.replace(/^must /, '') ?? error.message, attributes[name])
  }
}

export function invalid(attribute: string, expected: string, received: unknown): PlatformError {
  const shown = received === undefined ? 'nothing' : JSON.stringify(received).slice(0, 200)
  return new PlatformError('invalid-event', {
    detail: `the attribute ${JSON.stringify(attribute.slice(0, 80))} must ${expected}: received ${shown}`,
    members: { attribute: attribute.slice(0, 80) },
  })
}

/** What is no event as a whole. */
export function notAnEvent(expected: string, received: string): PlatformError {
  return new PlatformError('invalid-event', { detail: `expected ${expected}: received ${received.slice(0, 200)}` })
}
