import { describe, expect, it } from 'vitest'

import { parseSpec, SPEC_FIELDS } from '#core/spec'

describe('parseSpec()', () => {
  it('fills every field with its default', () => {
    const spec = parseSpec({}, 'python')
    expect(Object.keys(spec).toSorted()).toEqual(Object.keys(SPEC_FIELDS).toSorted())
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
    [{ minSandboxes: 5, maxSandboxes: 2 }, 'minSandboxes must be at most maxSandboxes (2): received 5'],
    [{ constructor: 1 }, 'unknown field "constructor"'],
  ])('refuses %j', (input, message) => {
    if (message === undefined) return expect(parseSpec(input, 'js').memoryMiB).toBe(32)
    expect(() => parseSpec(input, 'js')).toThrow(message)
    expect(() => parseSpec(input, 'js')).toThrow(expect.objectContaining({ code: 'invalid-spec' }))
  })
})
