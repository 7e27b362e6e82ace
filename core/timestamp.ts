// Times as people and programs write them. Pure.

const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[Zz]|[+-]\d{2}:\d{2})$/

/**
 * ms since the epoch of a time with its offset (RFC 3339; seconds may be left out). Undefined for anything else, a day
 * that there is not included: Date takes 31 February for 3 March.
 */
export function parseTimestamp(text: string): number | undefined {
  const [, year, month, day] = RFC_3339.exec(text) ?? []
  if (Number(day) > daysIn(Number(year), Number(month))) return undefined
  const ms = day === undefined ? Number.NaN : Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

/** @param month from 1 */
function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate()
}
