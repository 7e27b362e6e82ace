// What the node agent takes for a function, in real containers.
import { describe, expect, test } from 'vitest'

import { describeWithDocker } from '#test/invoker/sandbox/docker/daemon'
import { RunningFunction } from '#test/invoker/sandbox/docker/running-function'

await describeWithDocker('the node agent in a container, loading code', (get) => {
  const start = (files: Record<string, string>, spec: Record<string, unknown> = {}): Promise<RunningFunction> =>
    RunningFunction.start(get().driver, 'node', files, spec)
  const textOf = async (files: Record<string, string>, spec: Record<string, unknown> = {}): Promise<string> => {
    await using running = await start(files, spec)
    expect(running.loaded).toEqual({ loaded: true })
    return (await running.call({ target: '/a?b=1' })).text
  }

  describe('finds the function', () => {
    test.each<[string, Record<string, string>]>([
      ['a default export with fetch', { 'index.mjs': `export default { fetch: () => new Response('ok') }` }],
      ['a default fetch function', { 'index.js': `export default () => new Response('ok')` }],
      [
        'a default export that uses this',
        { 'main.mjs': `export default { answer: 'ok', fetch() { return new Response(this.answer) } }` },
      ],
      ['module.exports as a function', { 'index.cjs': `module.exports = async () => new Response('ok')` }],
      ['exports.handler of CommonJS', { 'index.js': `exports.handler = async () => 'ok'` }],
      ['a named handler', { 'handler.mjs': `export const handler = () => 'ok'` }],
      ['an export named fetch', { 'app.mjs': `export const fetch = () => new Response('ok')` }],
      [
        'TypeScript',
        {
          'index.ts': `const text: string = 'ok'\nexport default { fetch: (_: Request): Response => new Response(text) }`,
        },
      ],
      [
        'TypeScript as CommonJS',
        { 'index.cts': `const answer = (): string => 'ok'\nmodule.exports = { handler: answer }` },
      ],
      [
        'main of package.json',
        { 'package.json': '{"main":"lib/start"}', 'lib/start.js': `exports.handler = () => 'ok'` },
      ],
      [
        'exports of package.json',
        {
          'package.json': '{"type":"module","exports":{".":{"browser":"./no.js","node":{"import":"./yes.js"}}}}',
          'yes.js': `export default () => new Response('ok')`,
        },
      ],
      ['the only file', { 'thing.mjs': `export default () => new Response('ok')` }],
      [
        'a package in node_modules',
        {
          'index.mjs': `import { text } from 'thing'\nexport default () => new Response(text)`,
          'node_modules/thing/package.json': '{"main":"t.cjs"}',
          'node_modules/thing/t.cjs': `exports.text = 'ok'`,
        },
      ],
    ])('%s', async (_name, files) => {
      expect(await textOf(files)).toBe('ok')
    })

    test('file and export of the spec', async () => {
      const files = { 'src/jobs.mjs': `export const run = () => 'ok'`, 'index.mjs': `throw new Error('not this one')` }
      expect(await textOf(files, { handler: 'src/jobs.run' })).toBe('ok')
    })
  })

  describe('says why code cannot be loaded', () => {
    test('with the place of a syntax error in a module', async () => {
      await using running = await start({ 'index.mjs': `const a = 1\nconst b = = 2\n` })
      expect(running.loaded).toMatchObject({
        loaded: false,
        failure: { type: 'SyntaxError' },
        diagnostic: { file: 'index.mjs', line: 2, excerpt: 'const b = = 2' },
      })
    })

    test('with the place of a syntax error in CommonJS', async () => {
      await using running = await start({ 'index.cjs': `const a = 1\nfunction (\n` })
      expect(running.loaded).toMatchObject({ loaded: false, diagnostic: { file: 'index.cjs', line: 2 } })
    })

    test('with the place of TypeScript that cannot be stripped', async () => {
      await using running = await start({
        'index.ts': `const a = 1\nenum B { C }\nexport default () => new Response('')`,
      })
      expect(running.loaded).toMatchObject({ loaded: false, diagnostic: { file: 'index.ts', line: 2 } })
    })

    test('with the place where the top level threw', async () => {
      await using running = await start({ 'index.mjs': `\n\nthrow new RangeError('no luck')` })
      expect(running.loaded).toMatchObject({
        loaded: false,
        failure: { type: 'RangeError', message: 'no luck' },
        diagnostic: { message: 'RangeError: no luck', file: 'index.mjs', line: 3 },
      })
    })

    test('when there is nothing to call', async () => {
      await using running = await start({ 'index.mjs': `export const other = 1` })
      expect(running.loaded).toMatchObject({
        failure: {
          message: 'index.mjs must export default a fetch handler, or a function named handler: it exports other',
        },
      })
    })

    test('when there is no entry', async () => {
      await using running = await start({ 'a.js': '', 'b.js': '' })
      expect(running.loaded).toMatchObject({ failure: { message: expect.stringMatching(/^no entry: expected/) } })
    })

    test('when a file would lie outside of the function', async () => {
      await using running = await start({ '../etc/x': '', 'index.mjs': '' })
      expect(running.loaded).toMatchObject({ failure: { message: expect.stringContaining('must be relative') } })
    })
  })
})
