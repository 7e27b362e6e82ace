import { expect, it } from 'vitest'

import { Held } from '#gateway/sources/held'

it('waits for room', async () => {
  const held = new Held<string>(2)
  expect(await held.roomFree()).toBe(2)
  held.take('a', 'A')
  held.take('b', 'B')
  const room = held.roomFree()
  expect(held.room).toBe(0)
  expect(held.release('a')).toBe(true)
  expect(held.release('a')).toBe(false)
  expect(await room).toBe(1)
  expect(held.all()).toEqual(['B'])
})

it('takes nothing more once it is closed', async () => {
  const held = new Held<string>(1)
  held.take('a', 'A')
  const room = held.roomFree()
  held.close()
  expect(await room).toBe(0)
  held.release('a')
  expect(await held.roomFree()).toBe(0)
})
