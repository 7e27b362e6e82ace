import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { examplesDue, listExamples, markExamplesDone } from '#cli/serve/examples'
import { ROOT_DIR } from '#test/repo/sources'
import { tempDir } from '#test/temp-dir'

describe('listExamples()', () => {
  it('puts the quick ones first and leaves out what is not complete', async () => {
    await using dir = await tempDir({
      'a-python/main.py': '',
      'b-node/index.js': '',
      'b-node/function.json': '{"runtime":"node","name":"renamed"}',
      'c-wasm/function.json': '{"entry":"main.wasm"}',
      'c-wasm/main.wasm': '',
      'd-unbuilt/function.json': '{"entry":"build/main.wasm"}',
      'd-unbuilt/main.c': '',
      'e-empty/.env': '',
      'hello-js/index.js': '',
      'README.md': '',
    })
    const examples = await listExamples(dir.path)
    expect(examples.map(({ name, runtime }) => [name, runtime])).toEqual([
      ['hello-js', 'js'],
      ['c-wasm', 'wasm'],
      ['a-python', 'python'],
      ['renamed', 'node'],
    ])
  })

  it('knows every folder under functions/', async () => {
    const names = (await listExamples(join(ROOT_DIR, 'functions'))).map(({ name }) => name)
    expect(names[0]).toBe('hello-js')
    expect(names).toEqual(expect.arrayContaining(['hello-node', 'hello-python', 'hello-wasm', 'sse-node']))
  })
})

describe('examplesDue()', () => {
  const examples = [{ dir: '/x', name: 'hello-js', runtime: 'js' }]

  it('is true until they are done, and when a first start was broken off', async () => {
    await using dir = await tempDir()
    expect(await examplesDue(dir.path, examples, [])).toBe(true)
    expect(await examplesDue(dir.path, examples, ['hello-js'])).toBe(true)
    await markExamplesDone(dir.path)
    expect(await examplesDue(dir.path, examples, [])).toBe(false)
  })

  it('is false in a store that somebody uses', async () => {
    await using dir = await tempDir()
    expect(await examplesDue(dir.path, examples, ['hello-js', 'mine'])).toBe(false)
  })
})
