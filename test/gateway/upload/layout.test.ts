import { expect, test } from 'vitest'

import { impliedRuntime, withoutTopFolder } from '#gateway/upload/layout'

function files(...paths: readonly string[]): Map<string, Uint8Array> {
  return new Map(paths.map((path) => [path, new Uint8Array(0)]))
}

test.for([
  ['js', ['index.js', 'helper.py'], undefined],
  ['js', ['index.mts'], undefined],
  ['js', ['package.json', 'src/a.js'], undefined],
  ['python', ['main.py', 'tool.js'], undefined],
  ['python', ['anything.py', 'data.json'], undefined],
  ['wasm', ['main.wasm'], undefined],
  ['python', ['index.js', 'work.py'], 'work.handler'],
  ['js', ['main.py', 'src/work.ts'], 'src/work.handler'],
] as const)('impliedRuntime() is %s for %j with the handler %s', ([runtime, paths, handler]) => {
  expect(impliedRuntime(files(...paths), handler)).toBe(runtime)
})

test.for([[['index.js', 'main.py']], [['a.js', 'b.py']], [['readme.txt']], [['src/a.js']]])(
  'impliedRuntime() wants to be told for %j',
  ([paths]) => {
    expect(() => impliedRuntime(files(...(paths as string[])), undefined)).toThrow(
      expect.objectContaining({ code: 'invalid-spec', members: { field: 'runtime' } }),
    )
  },
)

test('withoutTopFolder() takes a single folder off', () => {
  expect([...withoutTopFolder(files('app/index.js', 'app/lib/a.js'), undefined).keys()]).toEqual([
    'index.js',
    'lib/a.js',
  ])
})

test.for([
  [['app/index.js', 'other.js'], undefined],
  [['app/index.js', 'application/a.js'], undefined],
  [['app/index.py'], 'app/index.handler'],
  [['node_modules/a/index.js'], undefined],
  [['index.js'], undefined],
] as const)('withoutTopFolder() leaves %j with the handler %s alone', ([paths, handler]) => {
  expect([...withoutTopFolder(files(...paths), handler).keys()]).toEqual(paths)
})
