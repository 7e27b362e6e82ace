import { expect, test } from 'vitest'

import type { InvokeHead } from '#core/frames'
import type { FunctionVersion } from '#core/function'
import { newInvocationId } from '#core/ids'
import type { Invocation, InvocationRequest } from '#core/invocation'
import { invokeHead } from '#invoker/sandbox/invoke-head'

function invocation(request: Partial<InvocationRequest>): Invocation {
  const plain = {
    method: 'GET',
    target: '/',
    origin: 'http://h',
    headers: [['a', 'b']],
    body: new Uint8Array(0),
  } as const
  const version = {} as FunctionVersion
  const id = newInvocationId()
  return { id, version, trigger: 'http', request: { ...plain, ...request }, attempt: 2, acceptedAt: 0 }
}

test.each([
  '/',
  '/items/7?full=1&q=%20a',
  '/"quoted"',
  '/back\\slash',
  '/control\u0007',
  '/latin\u00e9',
  '/\ud83d\ude00',
  '/lone\ud800',
  '/\u2028',
])('the head of a call is JSON of all its fields, for the target %j', (target) => {
  const call = invocation({ target, headers: [['x-"', 'a\\b']] })
  const expected: InvokeHead = {
    id: call.id,
    method: 'GET',
    target,
    origin: 'http://h',
    headers: [['x-"', 'a\\b']],
    attempt: 2,
    deadline: 1_790_000_000_123.5,
  }
  expect(JSON.parse(invokeHead(call, 1_790_000_000_123.5))).toEqual(expected)
})

test('headers that are JSON already are taken as they are', () => {
  const call = invocation({ headersJson: '[["c","d"]]' })
  expect(JSON.parse(invokeHead(call, 1))).toMatchObject({ headers: [['c', 'd']] })
})
