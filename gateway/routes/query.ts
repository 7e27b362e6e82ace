// Reads what queries have in common.
import { PlatformError } from '#core/errors'

import type { Query } from './context.ts'

/** @throws PlatformError `invalid-request`, here and below */
export function parseLimit(value: Query[string], preset: number, maximum: number): number {
  if (value === undefined) return preset
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : Number.NaN
  if (number >= 1 && number <= maximum) return number
  throw new PlatformError('invalid-request', {
    detail: `limit must be an integer in [1, ${maximum}]: received ${JSON.stringify(value)}`,
  })
}

export function parseFlag(name: string, value: Query[string]): boolean {
  if (value === undefined || value === 'false') return false
  if (value === 'true') return true
  throw new PlatformError('invalid-request', {
    detail: `${name} must be true or false: received ${JSON.stringify(value)}`,
  })
}

/** A list, with commas or given more than once, of which each must be known; undefined when it is not given. */
export function parseChoices<T extends string>(
  name: string,
  value: Query[string],
  choices: readonly T[],
): readonly T[] | undefined {
  if (value === undefined) return undefined
  const given = [value].flat().flatMap((text) => text.split(','))
  const unknown = given.find((text) => !choices.includes(text as T))
  if (unknown === undefined) return [...new Set(given)] as T[]
  throw new PlatformError('invalid-request', {
    detail: `${name} must be of ${choices.join(', ')}: received ${JSON.stringify(unknown.slice(0, 80))}`,
  })
}

/** The JSON object of a body that may be empty. */
export function parseBody(body: unknown): Readonly<Record<string, unknown>> {
  const bytes = (body ?? new Uint8Array(0)) as Uint8Array
  if (bytes.length === 0) return {}
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {}
  throw new PlatformError('invalid-request', {
    detail: `the body must be empty or a JSON object: received ${bytes.length} bytes of something else`,
  })
}
