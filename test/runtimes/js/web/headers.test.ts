import { describe, expect, it } from 'vitest'

import { Headers as OurHeaders, trustedHeaders } from '#runtimes/js/web/headers'

describe('Headers', () => {
  it('combines values, sorts by name and keeps set-cookie apart, as Node does', () => {
    const [ours, theirs] = [new OurHeaders(), new Headers()]
    for (const headers of [ours, theirs]) {
      headers.append('X-B', ' 1 ')
      headers.append('x-b', '2')
      headers.append('Set-Cookie', 'a=1')
      headers.append('set-cookie', 'b=2')
      headers.set('Accept', 'text/html')
      headers.append('z', 'gone')
      headers.delete('Z')
    }
    expect([...ours]).toEqual([...theirs])
    expect(ours.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect([ours.get('X-b'), ours.get('set-cookie'), ours.get('nothing')]).toEqual(['1, 2', 'a=1, b=2', null])
    expect([[...ours.keys()], [...ours.values()]]).toEqual([[...theirs.keys()], [...theirs.values()]])
  })

  it.each([
    ['', 'x'],
    ['a b', 'x'],
    ['ä', 'x'],
    ['a', 'x\r\ny'],
    ['a', 'x\0'],
    ['a', '€'],
  ])('refuses %j: %j as Node does', (name, value) => {
    expect(() => new Headers([[name, value]])).toThrow(TypeError)
    expect(() => new OurHeaders([[name, value]])).toThrow(TypeError)
  })

  it('takes pairs, objects and headers', () => {
    expect([...new OurHeaders({ B: '1', a: '2' })]).toEqual([
      ['a', '2'],
      ['b', '1'],
    ])
    const first = new OurHeaders([['a', '1']])
    const second = new OurHeaders(first)
    second.set('a', '2')
    expect(first.get('a')).toBe('1')
    expect(() => new OurHeaders([['a']] as unknown as [string, string][])).toThrow(TypeError)
  })

  it('does not change when locked, but its copy does', () => {
    const locked = trustedHeaders([['a', '1']], true)
    expect(() => locked.set('a', '2')).toThrow(/immutable/)
    expect(() => locked.delete('a')).toThrow(/immutable/)
    const copy = new OurHeaders(locked)
    copy.append('a', '2')
    expect([locked.get('a'), copy.get('a')]).toEqual(['1', '1, 2'])
  })
})
