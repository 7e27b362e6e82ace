import { describe, expect, it } from 'vitest'

import type { PlatformError } from '#core/errors'
import type { CloudEvent } from '#core/event'
import { compileFilter, parseFilter } from '#core/filter'

const ORDER = {
  order: { total: 99.5, country: 'DE', paid: true, note: null, 'a.b': 'dot' },
  items: [
    { sku: 'A-1', count: 1 },
    { sku: 'B-2', count: 12 },
  ],
  tags: ['new', 'gift'],
}

function event(attributes: Record<string, string | number | boolean> = {}, data: unknown = ORDER): CloudEvent {
  const base = { id: '1', source: '/shop', type: 'shop.order.paid', datacontenttype: 'application/json' }
  return { attributes: { ...base, ...attributes }, data: new TextEncoder().encode(JSON.stringify(data)) }
}

function matches(filter: unknown, of: CloudEvent = event()): boolean {
  return compileFilter(parseFilter(filter))(of)
}

describe('a filter', () => {
  it.each<[filter: unknown, expected: boolean]>([
    [{}, true],
    [{ type: 'shop.order.paid' }, true],
    [{ type: 'shop.order' }, false],
    [{ type: ['other', 'shop.order.paid'] }, true],
    [{ type: { equals: 'shop.order.paid' } }, true],
    [{ type: { prefix: 'shop.' } }, true],
    [{ type: { prefix: 'order' } }, false],
    [{ type: { suffix: '.paid' } }, true],
    [{ type: [{ prefix: 'x' }, { suffix: '.paid' }] }, true],
    [{ type: { prefix: 'shop.' }, source: '/other' }, false],
    [{ subject: { exists: true } }, false],
    [{ subject: { exists: false } }, true],
    [{ type: { not: 'x' } }, true],
    [{ type: { not: ['x', 'shop.order.paid'] } }, false],
    [{ type: { not: { prefix: 'shop.' } } }, false],
    [{ type: { not: { not: 'shop.order.paid' } } }, true],
    [{ subject: { not: 'x' } }, true],
    [{ constructor: { exists: true } }, false],
    [{ 'data.order.total': { numeric: { gte: 99.5, lt: 100 } } }, true],
    [{ 'data.order.total': { numeric: { gt: 99.5 } } }, false],
    [{ 'data.order.total': { numeric: ['>', 99, '<=', 99.5] } }, true],
    [{ 'data.order.total': { numeric: ['=', 99.5] } }, true],
    [{ 'data.order.total': { numeric: ['=', 99] } }, false],
    [{ 'data.order.country': { numeric: { gt: 0 } } }, false],
    [{ 'data.order.total': 99.5 }, true],
    [{ 'data.order.total': '99.5' }, false],
    [{ 'data.order.paid': true }, true],
    [{ 'data.order.note': null }, true],
    [{ 'data.order.note': { exists: true } }, true],
    [{ 'data.order.missing': null }, false],
    [{ 'data.order.missing': { exists: false } }, true],
    [{ 'data.order.country.x': { exists: false } }, true],
    [{ 'data.order.a\\.b': 'dot' }, true],
    [{ 'data.items.sku': 'B-2' }, true],
    [{ 'data.items.sku': 'C-3' }, false],
    [{ 'data.items.0.sku': 'B-2' }, false],
    [{ 'data.items.1.sku': 'B-2' }, true],
    [{ 'data.items.count': { numeric: { gte: 10 } } }, true],
    [{ 'data.items.count': { not: { numeric: { gte: 10 } } } }, false],
    [{ 'data.tags': 'gift' }, true],
    [{ 'data.tags': ['old', 'older'] }, false],
  ])('%j is %s for the order', (filter, expected) => {
    expect(matches(filter)).toBe(expected)
  })

  it('looks at data as a whole', () => {
    expect(matches({ data: 7 }, event({}, 7))).toBe(true)
    expect(matches({ data: { exists: true } }, { ...event(), data: new Uint8Array(0) })).toBe(false)
  })

  it('looks into data that is nested deeper than the stack', () => {
    const depth = 200_000
    const nested = (inside: string): CloudEvent => ({
      ...event(),
      data: new TextEncoder().encode('['.repeat(depth) + inside + ']'.repeat(depth)),
    })
    expect(matches({ 'data.sku': 'A' }, nested('{"sku":"A"}'))).toBe(true)
    expect(matches({ 'data.sku': 'A' }, nested(''))).toBe(false)
  })

  it('finds nothing in data that is not JSON', () => {
    const text = { ...event(), data: new TextEncoder().encode('{"order":') }
    expect(matches({ 'data.order': { exists: true } }, text)).toBe(false)
    expect(matches({ 'data.order': { exists: true } }, event({ datacontenttype: 'text/plain' }))).toBe(false)
    expect(matches({ 'data.order': { exists: true } }, event({ datacontenttype: 'application/vnd.x+json; a=b' }))).toBe(
      true,
    )
  })

  it('matches extensions of every type', () => {
    expect(matches({ priority: { numeric: { gte: 3 } } }, event({ priority: 5 }))).toBe(true)
    expect(matches({ sampled: true }, event({ sampled: false }))).toBe(false)
  })
})

describe('parseFilter', () => {
  it.each<[filter: unknown, place: string]>([
    [[], 'filter'],
    ['type', 'filter'],
    [{ Type: 'a' }, 'filter.Type'],
    [{ 'data.': 'a' }, 'filter.data.'],
    [{ 'data..x': 'a' }, 'filter.data..x'],
    [{ 'order.total': 1 }, 'filter.order.total'],
    [{ type: [] }, 'filter.type'],
    [{ type: ['a', {}] }, 'filter.type[1]'],
    [{ type: ['a', ['b']] }, 'filter.type[1]'],
    [{ type: { prefix: 1 } }, 'filter.type.prefix'],
    [{ type: { prefix: 'a', suffix: 'b' } }, 'filter.type'],
    [{ type: { starts: 'a' } }, 'filter.type.starts'],
    [{ type: [{ numeric: {} }] }, 'filter.type[0].numeric'],
    [{ type: { numeric: { more: 1 } } }, 'filter.type.numeric'],
    [{ type: { numeric: { gt: '1' } } }, 'filter.type.numeric.gt'],
    [{ type: { numeric: ['>', 1, '!'] } }, 'filter.type.numeric[2]'],
    [{ type: { numeric: ['>'] } }, 'filter.type.numeric[1]'],
    [{ type: { numeric: [] } }, 'filter.type.numeric[0]'],
    [{ type: { exists: 'yes' } }, 'filter.type.exists'],
    [{ type: { equals: {} } }, 'filter.type.equals'],
    [{ type: { not: [{ not: {} }] } }, 'filter.type.not[0].not'],
    [{ type: 'x'.repeat(1001) }, 'filter.type'],
  ])('refuses %j at %s', (filter, place) => {
    const error = thrownBy(() => parseFilter(filter))
    expect(error).toMatchObject({ code: 'invalid-trigger', members: { field: place } })
    expect(error.message).toContain(`${place} must be`)
  })

  it('refuses nesting without end', () => {
    let condition: unknown = 'x'
    for (let depth = 0; depth < 50; depth++) condition = { not: condition }
    expect(() => parseFilter({ type: condition })).toThrow(/one of equals/)
  })

  it('gives a filter that reads back as itself', () => {
    const filter = parseFilter({
      type: ['a', { prefix: 'b' }, { not: 'c' }],
      'data.n': { numeric: ['>=', 1, '<', 5] },
      subject: { exists: true },
    })
    expect(parseFilter(structuredClone(filter))).toEqual(filter)
  })
})

describe('filters of random conditions', () => {
  it('obey the laws of any, all and not', () => {
    const random = sequence(42)
    for (let round = 0; round < 500; round++) {
      const [a, b] = [anyCondition(random), anyCondition(random)]
      const of = event({}, { v: anyValue(random) })
      const [one, other] = [matches({ 'data.v': a }, of), matches({ 'data.v': b }, of)]
      expect(matches({ 'data.v': [a, b] }, of)).toBe(one || other)
      expect(matches({ 'data.v': a, type: b }, of)).toBe(one && matches({ type: b }, of))
      expect(matches({ 'data.v': { not: a } }, of)).toBe(!one)
      expect(matches({ 'data.v': { not: [a, b] } }, of)).toBe(!one && !other)
    }
  })

  it('compare numbers as numbers are compared', () => {
    const random = sequence(7)
    for (let round = 0; round < 500; round++) {
      const [number, low, high] = [random(20) - 10, random(20) - 10, random(20) - 10]
      const filter = { 'data.n': { numeric: { gte: low, lt: high } } }
      expect(matches(filter, event({}, { n: number }))).toBe(number >= low && number < high)
    }
  })
})

/** A reproducible stand-in for chance: integers below `bound`. */
function sequence(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

function anyValue(random: (bound: number) => number): unknown {
  return ['', 'ab', 'b', 'abc', null, true, false, -1, 0, 3.5, 7, ['ab', 7], []][random(13)]
}

function anyCondition(random: (bound: number) => number): unknown {
  const scalar = (): unknown => ['', 'ab', 'abc', null, true, -1, 7][random(7)]
  return [
    scalar(),
    { equals: scalar() },
    { prefix: ['', 'a', 'b'][random(3)] },
    { suffix: ['', 'c', 'b'][random(3)] },
    { numeric: { gte: random(5) - 2 } },
    { exists: random(2) === 0 },
  ][random(6)]
}

function thrownBy(action: () => unknown): PlatformError {
  try {
    action()
  } catch (error) {
    return error as PlatformError
  }
  throw new Error('expected it to throw')
}
