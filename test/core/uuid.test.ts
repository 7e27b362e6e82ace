import { expect, test } from 'vitest'

import { UuidMaker } from '#core/uuid'

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('make() gives UUIDs of version 7 that begin with the time', () => {
  const maker = new UuidMaker()
  for (const [now, start] of [
    [0, '00000000-0000-7'],
    [0x0123_4567_89ab, '01234567-89ab-7'],
    [0x0123_4567_89ac, '01234567-89ac-7'],
    [0xffff_ffff_ffff, 'ffffffff-ffff-7'],
  ] as const) {
    const uuid = maker.make(now)
    expect(uuid).toMatch(UUID_V7)
    expect(uuid.startsWith(start)).toBe(true)
  }
})

test('each is greater than the one before, within a millisecond and when the clock goes back', () => {
  const maker = new UuidMaker(3)
  const times = [...Array.from({ length: 10_000 }, () => 5), 4, 3, 9, 8]
  const uuids = times.map((now) => maker.make(now))
  expect(new Set(uuids).size).toBe(times.length)
  expect(uuids.toSorted()).toEqual(uuids)
  for (const uuid of uuids) expect(uuid).toMatch(UUID_V7)
})

test('every digit after the count takes every value, the variant four', () => {
  const maker = new UuidMaker()
  const seen = Array.from({ length: 36 }, () => new Set<string>())
  for (let count = 0; count < 3000; count++) {
    const uuid = maker.make(count)
    seen.forEach((values, index) => values.add(uuid[index]!))
  }
  const sizes = seen.map((values) => values.size)
  expect(sizes.slice(14)).toEqual([1, 8, 16, 16, 1, 4, 16, 16, 16, 1, ...Array.from({ length: 12 }, () => 16)])
})
