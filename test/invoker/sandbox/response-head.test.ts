import { expect, test } from 'vitest'

import type { ResponseHead } from '#core/invocation'
import { ResponseHeadReader } from '#invoker/sandbox/response-head'

function read(reader: ResponseHeadReader, value: unknown, before = ''): unknown {
  const json = Buffer.from(before + JSON.stringify(value))
  return reader.read(json, Buffer.byteLength(before), json.length)
}

function head(...values: string[]): ResponseHead {
  return { status: 200, headers: values.map((value, index) => [`x-${index}`, value] as const) }
}

test('a head that repeats is read once, wherever it lies in a payload', () => {
  const reader = new ResponseHeadReader()
  const first = read(reader, head('a'))
  expect(first).toEqual(head('a'))
  expect(read(reader, head('a'), '....')).toBe(first)
})

test('heads of the same length are told apart', () => {
  const reader = new ResponseHeadReader()
  for (const value of ['a', 'b', 'a', 'é', 'b']) expect(read(reader, head(value))).toEqual(head(value))
})

test('heads of several lengths are kept, and long ones are read each time', () => {
  const reader = new ResponseHeadReader()
  const [short, longer] = [read(reader, head('a')), read(reader, head('aa'))]
  expect([read(reader, head('a')), read(reader, head('aa'))]).toEqual([short, longer])
  expect(read(reader, head('a'))).toBe(short)
  const long = head('a'.repeat(600))
  expect(read(reader, long)).toEqual(long)
  expect(read(reader, long)).not.toBe(read(reader, long))
})

test('what cannot be sent is a failure each time, and what is no head an error', () => {
  const reader = new ResponseHeadReader()
  const failure = { type: 'InvalidResponse', message: 'a status is an integer in [200, 599]: received 99' }
  for (let time = 0; time < 2; time++) expect(read(reader, { status: 99, headers: [] })).toEqual(failure)
  for (let time = 0; time < 2; time++) expect(() => read(reader, { status: 200 })).toThrow('status and headers')
})
