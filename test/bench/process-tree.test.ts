import { describe, expect, it } from 'vitest'

import { anonymousOf, cpuSecondsOf, descendants, parentOf, parseStat, pssOf } from '#bench/process-tree'

describe('parseStat()', () => {
  it('is not led astray by what a process calls itself', () => {
    const text = '42 (a) R 1 (b) S 7 42 42 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 1 0 100 0 0'
    expect(parseStat(text)).toEqual({ parent: 7, cpuTicks: 175 })
  })
})

describe('descendants()', () => {
  it('finds children of children, and nobody else', () => {
    const parents = new Map([
      [2, 1],
      [3, 2],
      [4, 3],
      [9, 1],
    ])
    expect(descendants(2, parents)).toEqual([2, 3, 4])
  })
})

describe.runIf(process.platform === 'linux')('this process', () => {
  it('has a parent, memory and used processor time', async () => {
    expect(await parentOf(process.pid)).toBe(process.ppid)
    expect(await anonymousOf(process.pid)).toBeGreaterThan(2 ** 20)
    expect(await pssOf(process.pid)).toBeGreaterThan(await anonymousOf(process.pid))
    expect(await cpuSecondsOf(process.pid)).toBeGreaterThan(0)
  })
})

it('a process that is gone holds nothing', async () => {
  expect(await pssOf(2 ** 30)).toBe(0)
})
