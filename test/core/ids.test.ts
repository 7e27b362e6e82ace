import { describe, expect, it } from 'vitest'

import { newInvocationId, parseDigest, parseFunctionName, parseInvocationId, parseVersionNumber } from '#core/ids'

describe('parseFunctionName()', () => {
  it.each(['a', 'hello-js', '9lives', 'x'.repeat(63)])('accepts %s', (name) => {
    expect(parseFunctionName(name)).toBe(name)
  })

  it.each(['', '-a', 'a-', 'A', 'a_b', 'a/b', 'a b', 'é', 'x'.repeat(64), '..'])('refuses %j and shows it', (name) => {
    expect(() => parseFunctionName(name)).toThrow(expect.objectContaining({ code: 'invalid-name' }))
    expect(() => parseFunctionName(name)).toThrow(JSON.stringify(name))
  })
})

describe('newInvocationId()', () => {
  it('makes ids that are accepted and sort by time', () => {
    const ids = Array.from({ length: 1000 }, newInvocationId)
    for (const id of ids) expect(parseInvocationId(id)).toBe(id)
    expect(new Set(ids).size).toBe(ids.length)
    const times = ids.map((id) => id.slice(0, 13))
    expect(times).toEqual(times.toSorted())
  })

  it.each(['', '1', 'not-an-id', '01a1f844-c021-41fa-a8d0-54dde282c00d', '*'])(
    'parseInvocationId() knows no invocation %j',
    (id) => {
      expect(() => parseInvocationId(id)).toThrow(
        expect.objectContaining({ code: 'invocation-not-found', status: 404 }),
      )
    },
  )
})

describe('parseVersionNumber()', () => {
  it('accepts positive integers, as text too', () => {
    expect(parseVersionNumber('12')).toBe(12)
    expect(parseVersionNumber(1)).toBe(1)
  })

  it.each(['0', '-1', '1.5', 'live', '', '1e400'])('refuses %j', (value) => {
    expect(() => parseVersionNumber(value)).toThrow(expect.objectContaining({ code: 'invalid-request' }))
  })
})

it('parseDigest() wants 64 hexadecimal digits', () => {
  expect(parseDigest('0'.repeat(64))).toBe('0'.repeat(64))
  expect(() => parseDigest('0'.repeat(63))).toThrow('64 hexadecimal digits')
  expect(() => parseDigest('../../etc/passwd')).toThrow('64 hexadecimal digits')
})
