import { runInThisContext } from 'node:vm'

import { describe, expect, it } from 'vitest'

import { findEntry } from '#invoker/sandbox/wasm/build/entry'
import { createStackMapper } from '#invoker/sandbox/wasm/build/stack-map'
import { patchByteLists } from '#invoker/sandbox/wasm/build/byte-lists'
import { quickJsParts } from '#invoker/sandbox/wasm/build/quickjs-parts'
import { slimGlue } from '#invoker/sandbox/wasm/build/slim-glue'
import { patchTickLoop } from '#invoker/sandbox/wasm/build/tick-loop'

const files = (...paths: string[]): Map<string, Uint8Array> => new Map(paths.map((path) => [path, new Uint8Array()]))

describe('findEntry()', () => {
  it.each([
    [['index.js', 'index.ts'], '', 'index.ts', ''],
    [['src/index.mjs', 'util.js'], '', 'src/index.mjs', ''],
    [['only-one.tsx', 'node_modules/a/index.js', 'readme.md'], '', 'only-one.tsx', ''],
    [['a/b.js'], 'a/b.run', 'a/b.js', 'run'],
    [['a.b.ts'], 'a.b.run', 'a.b.ts', 'run'],
  ])('of %j with handler %j is %s', (paths, handler, path, exportName) => {
    expect(findEntry(files(...paths), handler)).toEqual({ path, exportName })
  })

  it('follows package.json', () => {
    const source = files('index.js', 'lib/start.js')
    source.set('package.json', new TextEncoder().encode('{"main":"./lib/start.js"}'))
    expect(findEntry(source, '').path).toBe('lib/start.js')
  })
})

describe('patchByteLists()', () => {
  it('refuses glue whose lists it does not know, and leaves glue without lists alone', () => {
    expect(() => patchByteLists('function _liftFlatList(meta) {}')).toThrow(/the list lifting of jco has changed/)
    expect(patchByteLists('nothing')).toBe('nothing')
  })
})

describe('patchTickLoop()', () => {
  it('refuses glue that is not what it was written for', () => {
    expect(() => patchTickLoop('async runTickLoop() {}')).toThrow(/the tick loop of jco has changed/)
  })
})

describe('quickJsParts()', () => {
  it('refuses a component that the host could not link', () => {
    expect(() => quickJsParts(new Map([['core', Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)]]))).toThrow(
      'expected one core module of QuickJS that is its main: found 0',
    )
  })
})

describe('slimGlue()', () => {
  it('drops the debug log with its arguments, and keeps what is around it', async () => {
    const glue = `export const f = (x) => { // it's (odd
      if (x) _debugLog('it\\'s ) odd', { y: g(\`\${x})\`) }); else return 1
      return x && _debugLog("(") }`
    const slim = await slimGlue(glue)
    expect(slim).not.toMatch(/debugLog|odd/)
    const { f } = runInThisContext(slim) as { f: (x: number) => unknown }
    expect([f(0), f(1)]).toEqual([1, undefined])
  })

  it('calls the allocator without waiting', async () => {
    const glue = `export const f = async (memory, realloc0, _utf8AllocateAndEncode) => {
      var a = await _utf8AllocateAndEncodeAsync(memory, realloc0Async, memory0); return await realloc0Async(0, 0, 1, a) }`
    expect(await slimGlue(glue)).not.toMatch(/Async/)
  })
})

describe('createStackMapper()', () => {
  // One line `a;b;c` where b is line 3, column 2 of user.ts, and c belongs to Hearth.
  const map = JSON.stringify({
    version: 3,
    sources: ['user.ts', 'hearth:prelude:hearth:prelude'],
    names: [],
    mappings: 'AAAA,EAEC,ECFD',
  })
  const mapper = createStackMapper(map)

  it("puts the user's places into stacks of both engines and leaves our frames out", () => {
    const quickjs = '    at run (/function.js:1:3)\n    at serve (/function.js:1:5)\n    at native'
    expect(mapper.stack(quickjs)).toBe('    at run (user.ts:3:2)\n    at native')
    expect(mapper.stack('run@x/function.js:1:3\nserve@x/function.js:1:5')).toBe('run@user.ts:3:2')
    expect(mapper.place(quickjs)).toEqual({ file: 'user.ts', line: 3, column: 2 })
  })
})
