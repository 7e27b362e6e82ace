// Brokers whose messages have no content type: whether one is an event in structured mode is told by what is in it.
import { STRUCTURED_TYPE } from '../cloud-events/http.ts'

const decoder = new TextDecoder()
/** Looked for before anything is parsed, for most messages are none. */
const MARK = Buffer.from('"specversion"')
const REQUIRED = ['id', 'source', 'type'] as const

/** The content type of structured mode for a JSON object that has all that an event must have; else undefined. */
export function structuredTypeOf(data: Uint8Array): string | undefined {
  if (!Buffer.from(data.buffer, data.byteOffset, data.length).includes(MARK)) return undefined
  try {
    const value: unknown = JSON.parse(decoder.decode(data))
    return isEvent(value) ? STRUCTURED_TYPE : undefined
  } catch {
    return undefined
  }
}

function isEvent(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const attributes = value as Record<string, unknown>
  return attributes.specversion === '1.0' && REQUIRED.every((name) => typeof attributes[name] === 'string')
}
