import { createRequire } from 'node:module'

import { expect, test } from 'vitest'

interface Call {
  readonly number: number
}
interface Calls {
  readonly size: number
  get(number: number): Call | undefined
  add(call: Call): void
  delete(call: Call): void
  clear(): void
  values(): Call[]
}

const { Calls: CallsClass } = createRequire(import.meta.url)('../../../runtimes/node/calls.cjs') as {
  Calls: new () => Calls
}

function callsOf(...numbers: number[]): { calls: Calls; all: Call[] } {
  const calls = new CallsClass()
  const all = numbers.map((number) => ({ number }))
  for (const call of all) calls.add(call)
  return { calls, all }
}

test('a call is found by its number until it is deleted', () => {
  const { calls, all } = callsOf(1, 2)
  expect([calls.size, calls.get(1), calls.get(2), calls.get(65)]).toEqual([2, ...all, undefined])
  calls.delete(all[0]!)
  calls.delete(all[0]!)
  expect([calls.size, calls.get(1), calls.values()]).toEqual([1, undefined, [all[1]]])
})

test('numbers that share a place are kept apart, up to the highest', () => {
  const { calls, all } = callsOf(1, 65, 129, 0xffff_ffff)
  expect(all.map(({ number }) => calls.get(number))).toEqual(all)
  expect([calls.size, calls.values().length]).toEqual([4, 4])
  calls.clear()
  expect([calls.size, calls.values()]).toEqual([0, []])
})
