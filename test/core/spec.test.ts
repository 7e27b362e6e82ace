import { describe, expect, it } from 'vitest'

import { keepAliveMsOf, parseSpec } from '#core/spec'
import { SPEC_FIELDS } from '#core/spec-fields'

describe('parseSpec()', () => {
  it('fills every field with its default', () => {
    const spec = parseSpec({}, 'python')
    const fields = Object.keys(SPEC_FIELDS).filter((name) => name !== 'keepAliveMs')
    expect(Object.keys(spec).toSorted()).toEqual(fields.toSorted())
    expect(spec).toMatchObject({ runtime: 'python', memoryMiB: 256, timeoutMs: 30_000, auth: 'none', env: {} })
  })

  it('takes defaults that depend on the runtime from the runtime that was asked for', () => {
    expect(parseSpec({}, 'js')).toMatchObject({ memoryMiB: 64, instances: 'reset' })
    expect(parseSpec({}, 'wasm')).toMatchObject({ memoryMiB: 64, instances: 'fresh', concurrency: 1 })
    expect(parseSpec({ runtime: 'node' }, 'js')).toMatchObject({ runtime: 'node', memoryMiB: 256, concurrency: 16 })
  })

  it('reads numbers, lists and maps from the texts of a query string', () => {
    expect(parseSpec({ memoryMiB: '128', egress: '10.0.0.1,db:5432', env: '{"B":"2","A":"1"}' }, 'js')).toMatchObject({
      memoryMiB: 128,
      egress: ['10.0.0.1', 'db:5432'],
      env: { A: '1', B: '2' },
    })
  })

  it('orders the environment, so that equal specs are equal bytes', () => {
    const one = JSON.stringify(parseSpec({ env: { B: '2', A: '1' } }, 'js'))
    const other = JSON.stringify(parseSpec({ env: { A: '1', B: '2' } }, 'js'))
    expect(one).toBe(other)
  })

  it.each([
    [{ memory: 1 }, 'unknown field "memory"'],
    [{ memoryMiB: 1 }, 'memoryMiB must be an integer in [16, 65536]: received 1'],
    [{ memoryMiB: '' }, 'memoryMiB must be an integer'],
    [{ memoryMiB: '0x20' }, undefined],
    [{ memoryMiB: null }, 'received null'],
    [{ timeoutMs: 1.5 }, 'received 1.5'],
    [{ runtime: 'ruby' }, 'runtime must be one of js, wasm, node, python: received "ruby"'],
    [{ handler: 'x y' }, 'handler must be text'],
    [{ handler: '../x' }, 'handler must be text'],
    [{ env: { 'A-B': '1' } }, 'env must be an object'],
    [{ env: { A: 1 } }, 'received {"A":1}'],
    [{ env: '{' }, 'env must be an object'],
    [{ env: [] }, 'env must be an object'],
    [{ egress: ['a b'] }, 'egress must be a list'],
    [{ isolation: 'fork' }, 'isolation must be none for the runtime js: only python can fork'],
    [{ egress: ['10.0.0.0/99'] }, 'egress must be hosts, host:port or CIDR'],
    [{ minSandboxes: 5, maxSandboxes: 2 }, 'minSandboxes must be at most maxSandboxes (2): received 5'],
    [{ keepAlive: 'long' }, 'keepAlive must be auto or a duration of at most 24h, such as 90s: received "long"'],
    [{ keepAlive: '25h' }, 'received "25h"'],
    [{ keepAlive: 90 }, 'received 90'],
    [{ keepAlive: '90s', keepAliveMs: 90_000 }, 'keepAlive must be given without keepAliveMs (90000)'],
    [{ targetLatencyMs: -1 }, 'targetLatencyMs must be an integer in [0, 3600000]: received -1'],
    [{ constructor: 1 }, 'unknown field "constructor"'],
  ])('refuses %j', (input, message) => {
    if (message === undefined) return expect(parseSpec(input, 'js').memoryMiB).toBe(32)
    expect(() => parseSpec(input, 'js')).toThrow(message)
    expect(() => parseSpec(input, 'js')).toThrow(expect.objectContaining({ code: 'invalid-spec' }))
  })

  it.each([
    [{}, 'auto', undefined],
    [{ keepAlive: 'auto' }, 'auto', undefined],
    [{ keepAlive: '90s' }, '90s', 90_000],
    [{ keepAlive: '60s' }, '1m', 60_000],
    [{ keepAlive: '24h' }, '24h', 86_400_000],
    [{ keepAlive: '1500ms' }, '1500ms', 1500],
    [{ keepAliveMs: 1500 }, '1500ms', 1500],
    [{ keepAliveMs: '600000' }, '10m', 600_000],
    [{ keepAliveMs: 0 }, '0ms', 0],
  ])('takes %j for a keepAlive of %s', (input, keepAlive, ms) => {
    const spec = parseSpec(input, 'js')
    expect(spec.keepAlive).toBe(keepAlive)
    expect(keepAliveMsOf(spec)).toBe(ms)
    expect(spec).toEqual(parseSpec({ ...spec }, 'js'))
  })
})
