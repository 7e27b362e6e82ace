import { describe, expect, it } from 'vitest'

import { parseTimestamp } from '#core/timestamp'

describe('parseTimestamp()', () => {
  it.each([
    ['2028-02-29T12:00:00Z', Date.UTC(2028, 1, 29, 12)],
    ['2026-12-24T18:00+01:00', Date.UTC(2026, 11, 24, 17)],
    ['2026-12-24t18:00:00.25z', Date.UTC(2026, 11, 24, 18, 0, 0, 250)],
  ])('reads %s', (text, ms) => {
    expect(parseTimestamp(text)).toBe(ms)
  })

  it.each([
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00+02:00',
    '2026-13-01T00:00:00Z',
    '2026-12-24T25:00:00Z',
    '2026-12-24T18:00:00',
    '2026-12-24',
    'tomorrow',
    '',
  ])('refuses %j', (text) => {
    expect(parseTimestamp(text)).toBeUndefined()
  })
})
