import { expect, test } from 'vitest'

import { CallTable } from '#invoker/sandbox/call-table'

interface Call {
  readonly number: number
}

function begin(table: CallTable<Call>): Call {
  const call = { number: table.nextNumber() }
  table.add(call)
  return call
}

test('a call is found by its number until it is deleted', () => {
  const table = new CallTable<Call>()
  const call = begin(table)
  expect([call.number, table.get(call.number)]).toEqual([1, call])
  table.delete(call)
  table.delete(call)
  expect(table.get(call.number)).toBeUndefined()
  expect(table.get(0)).toBeUndefined()
})

test('a late frame for a call that is over does not reach the call in its place', () => {
  const table = new CallTable<Call>()
  const first = begin(table)
  table.delete(first)
  const calls = Array.from({ length: 64 }, () => begin(table))
  expect(table.get(first.number)).toBeUndefined()
  expect(calls.every((call) => table.get(call.number) === call)).toBe(true)
})

test('a long call keeps its number while thousands come and go', () => {
  const table = new CallTable<Call>()
  const long = begin(table)
  for (let count = 0; count < 5000; count++) table.delete(begin(table))
  expect(table.get(long.number)).toBe(long)
  expect(table.toArray()).toEqual([long])
})

test('it takes as many calls as come', () => {
  const table = new CallTable<Call>()
  const calls = Array.from({ length: 1000 }, () => begin(table))
  expect(new Set(calls.map(({ number }) => number)).size).toBe(1000)
  expect(calls.every((call) => table.get(call.number) === call)).toBe(true)
  expect(table.toArray()).toHaveLength(1000)
})
