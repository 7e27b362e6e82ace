import { describe, expect, it } from 'vitest'

import { readOptions, SUITE_NAMES } from '#bench/options'

describe('readOptions()', () => {
  it('runs every suite with what the issue asks for when nothing is said', () => {
    expect(readOptions([])).toEqual({
      runs: 5,
      seconds: 3,
      calls: 200,
      functions: 10_000,
      suites: SUITE_NAMES,
      json: undefined,
    })
  })

  it('takes several suites', () => {
    expect(readOptions(['--only', 'cold', '--only', 'crowd', '--runs', '2']).suites).toEqual(['cold', 'crowd'])
  })

  it.each([
    [['--only', 'cols'], '--only must be one of'],
    [['--runs', '0'], '--runs must be an integer in [1, 1000]: received 0'],
    [['--functions', '1e9'], '--functions must be an integer in [1, 100000]: received 1e9'],
  ])('refuses %j in words for the user', (args, message) => {
    expect(() => readOptions(args)).toThrow(message)
  })
})
