import { describe, expect, it } from 'vitest'

import { nearest } from '#core/nearest'

describe('nearest()', () => {
  it('finds what was meant', () => {
    expect(nearest('deplyo', ['deploy', 'logs', 'rm'])).toBe('deploy')
    expect(nearest('log', ['logs', 'ls'])).toBe('logs')
  })

  it('says nothing when nothing is near', () => {
    expect(nearest('frobnicate', ['deploy', 'logs', 'rm'])).toBe(undefined)
  })
})
