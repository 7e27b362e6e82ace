import { expect, test } from 'vitest'

import { follow, StopSource } from '#core/stop-signal'

test('abort() calls all listeners once, in order, and keeps the first reason', () => {
  const source = new StopSource()
  const called: string[] = []
  for (const name of ['a', 'b', 'c']) source.addEventListener('abort', () => called.push(name))
  expect(source.aborted).toBe(false)
  source.abort('first')
  source.abort('second')
  expect([called, source.aborted, source.reason]).toEqual([['a', 'b', 'c'], true, 'first'])
})

test.each(['a', 'b', 'c'])('a listener that was removed is not called: %s', (removed) => {
  const source = new StopSource()
  const called: string[] = []
  const listeners = new Map(['a', 'b', 'c'].map((name) => [name, () => called.push(name)]))
  for (const listener of listeners.values()) source.addEventListener('abort', listener)
  source.removeEventListener('abort', listeners.get(removed)!)
  source.addEventListener('abort', () => called.push('d'))
  source.abort()
  expect(called.toSorted()).toEqual(['a', 'b', 'c', 'd'].filter((name) => name !== removed))
})

test('follow() aborts with an AbortSignal and for its reason, also with one that was aborted before', () => {
  const controller = new AbortController()
  const [before, after] = [new StopSource(), new StopSource()]
  follow(before, controller.signal)
  expect(before.aborted).toBe(false)
  controller.abort('enough')
  follow(after, controller.signal)
  expect([before.reason, after.reason]).toEqual(['enough', 'enough'])
})
