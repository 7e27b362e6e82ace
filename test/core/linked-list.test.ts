import { expect, test } from 'vitest'

import { type Linked, LinkedList } from '#core/linked-list'

class Item implements Linked<Item> {
  before: Item | undefined
  after: Item | undefined
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

function listOf(text: string): { list: LinkedList<Item>; items: Item[] } {
  const list = new LinkedList<Item>()
  const items = Array.from(text, (name) => new Item(name))
  for (const item of items) list.add(item)
  return { list, items }
}

function textOf(list: LinkedList<Item>): string {
  return list
    .toArray()
    .map(({ name }) => name)
    .join('')
}

test('a list keeps the order in which items came', () => {
  const { list, items } = listOf('abc')
  expect([textOf(list), list.first, list.size]).toEqual(['abc', items[0], 3])
})

test.each([
  ['first', 0, 'bc'],
  ['middle', 1, 'ac'],
  ['last', 2, 'ab'],
])('the %s item can be deleted, and can come again at the end', (_which, index, left) => {
  const { list, items } = listOf('abc')
  const item = items[index]!
  expect([list.delete(item), textOf(list), list.size, list.has(item)]).toEqual([true, left, 2, false])
  expect([item.before, item.after]).toEqual([undefined, undefined])
  list.add(item)
  expect([textOf(list), list.has(item)]).toEqual([left + item.name, true])
})

test('delete() of what is not in the list says so and changes nothing', () => {
  const { list } = listOf('ab')
  expect([list.delete(new Item('c')), textOf(list), list.size]).toEqual([false, 'ab', 2])
})

test('an only item can be deleted and is then in no list', () => {
  const { list, items } = listOf('a')
  expect(list.has(items[0]!)).toBe(true)
  expect([list.delete(items[0]!), list.first, list.size]).toEqual([true, undefined, 0])
  expect(list.delete(items[0]!)).toBe(false)
})
