// A container that waits for code runs small functions of its own. The function that comes must find nothing of them.
import { expect, test } from 'vitest'

import type { RuntimeName } from '#core/function'
import { describeWithDocker } from '#test/invoker/sandbox/docker/daemon'
import { RunningFunction } from '#test/invoker/sandbox/docker/running-function'

const NODE = `const fs = require('node:fs')
const Module = require('node:module')
exports.handler = async () => ({
  globals: Reflect.ownKeys(globalThis).map(String).sort(),
  modules: Object.keys(require.cache).sort(),
  paths: Object.keys(Module._pathCache).filter((path) => path.includes('/fn') || path.includes('rehearsal')).sort(),
  env: process.env,
  cwd: process.cwd(),
  listeners: process.eventNames().map((name) => [String(name), process.listenerCount(name)]).sort(),
  handles: process.getActiveResourcesInfo().filter((name) => name !== 'Immediate').sort(),
  files: ['/fn', '/tmp'].flatMap((dir) => fs.readdirSync(dir, { recursive: true })).sort(),
})`

const PYTHON = `import builtins, os, sys, threading

def handler(event, context):
    return {
        "builtins": sorted(vars(builtins)),
        "modules": sorted(n for n in sys.modules if n.split(".")[0] not in {*sys.stdlib_module_names, "hearth_agent"}),
        "path": sys.path, "argv": sys.argv, "cwd": os.getcwd(), "env": dict(os.environ),
        "finders": sorted(p for p in sys.path_importer_cache if "/fn" in p or p == ""),
        "thread": threading.Thread().name,
        "threads": sorted(t.name for t in threading.enumerate()),
        "files": sorted(f for d in ("/fn", "/tmp") for _, _, fs in os.walk(d) for f in fs),
    }
`

await describeWithDocker('a container that has waited for code', (get) => {
  const seenBy = async (runtime: RuntimeName, file: string, source: string, waitMs: number): Promise<unknown> => {
    await using running = await RunningFunction.start(get().driver, runtime, { [file]: source }, { waitMs })
    const { text, outcome } = await running.call()
    expect(outcome).toEqual({ kind: 'responded', status: 200 })
    return JSON.parse(text)
  }

  test.each([
    ['node', 'index.cjs', NODE],
    ['python', 'main.py', PYTHON],
  ] as const)('%s: looks like one that has not', async (runtime, file, source) => {
    expect(await seenBy(runtime, file, source, 1_000)).toEqual(await seenBy(runtime, file, source, 0))
  })

  test.each([
    ['node', 'index.mjs', 'export const handler = () => "it works"'],
    ['python', 'main.py', 'handler = lambda event, context: "it works"'],
  ] as const)('%s: takes code in the middle of its preparations', async (runtime, file, source) => {
    for (const waitMs of [15, 20, 25, 35]) {
      await using running = await RunningFunction.start(get().driver, runtime, { [file]: source }, { waitMs })
      expect(running.loaded).toEqual({ loaded: true })
      expect(await running.call()).toMatchObject({ text: 'it works', logs: [] })
    }
  })
})
