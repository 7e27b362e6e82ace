import { expect, it } from 'vitest'

import { checkBodySize, checkHeaders } from '#core/limits'

const limits = { maxHeaders: 2, maxHeaderBytes: 10, maxBodyBytes: 5 }

it('checkHeaders() accepts what is within both limits', () => {
  expect(() =>
    checkHeaders(
      [
        ['a', '1'],
        ['b', '2'],
      ],
      limits,
    ),
  ).not.toThrow()
})

it('checkHeaders() refuses one header too many and names the setting', () => {
  const headers = [
    ['a', '1'],
    ['b', '2'],
    ['c', '3'],
  ] as const
  expect(() => checkHeaders(headers, limits)).toThrow(
    expect.objectContaining({ code: 'too-many-headers', status: 431 }),
  )
  expect(() => checkHeaders(headers, limits)).toThrow('at most 2 headers (HEARTH_MAX_HEADERS): received 3')
})

it('checkHeaders() refuses one byte too many', () => {
  expect(() => checkHeaders([['aaaaa', '11111']], limits)).not.toThrow()
  expect(() => checkHeaders([['aaaaa', '111111']], limits)).toThrow('received 11')
})

it('checkBodySize() refuses one byte too many', () => {
  expect(() => checkBodySize(5, limits)).not.toThrow()
  expect(() => checkBodySize(6, limits)).toThrow(expect.objectContaining({ code: 'payload-too-large', status: 413 }))
})
