import { expect, test } from 'vitest'

import { digestOf, versionDigest } from '#core/digest'
import { parseSpec } from '#core/spec'

const one = new TextEncoder().encode('one')
const two = new TextEncoder().encode('two')

test('digestOf() is the SHA-256 in hexadecimal', () => {
  expect(digestOf(one)).toBe('7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed')
})

test('versionDigest() does not depend on the order of files, fields or variables', () => {
  const spec = parseSpec({ env: { A: '1', B: '2' } }, 'js')
  const reversed = Object.entries({ ...spec, env: { B: '2', A: '1' } }).toReversed()
  const turned = Object.fromEntries(reversed) as unknown as typeof spec
  const files = new Map([
    ['a.js', one],
    ['b.js', two],
  ] as const)
  expect(versionDigest(turned, new Map([...files].toReversed()))).toBe(versionDigest(spec, files))
})

test('versionDigest() tells every difference in code and spec', () => {
  const spec = parseSpec({}, 'js')
  const digests = [
    versionDigest(spec, new Map([['a.js', one]])),
    versionDigest(spec, new Map([['a.js', two]])),
    versionDigest(spec, new Map([['b.js', one]])),
    versionDigest(
      spec,
      new Map([
        ['a.js', one],
        ['b.js', one],
      ]),
    ),
    versionDigest({ ...spec, timeoutMs: 1 }, new Map([['a.js', one]])),
    versionDigest({ ...spec, env: { A: 'B' } }, new Map([['a.js', one]])),
    versionDigest({ ...spec, egress: ['A', 'B'] }, new Map([['a.js', one]])),
    versionDigest({ ...spec, egress: ['B', 'A'] }, new Map([['a.js', one]])),
  ]
  expect(new Set(digests).size).toBe(digests.length)
})
