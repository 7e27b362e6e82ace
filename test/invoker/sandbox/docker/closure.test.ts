import { expect, test } from 'vitest'

import { filesOf } from '#invoker/sandbox/docker/closure'

const onLinux = test.runIf(process.platform === 'linux')

onLinux('filesOf() finds node, the loader and its libraries', async () => {
  const files = await filesOf('node')
  expect(files.get('/usr/local/bin/node')).toBe(process.execPath)
  const paths = [...files.keys()]
  expect(paths.some((path) => /\/libc\.so|\/ld-musl/.test(path))).toBe(true)
  expect(paths.some((path) => /\/ld-/.test(path))).toBe(true)
})

onLinux('filesOf() finds python3 with its standard library, without what no function needs', async () => {
  const paths = [...(await filesOf('python')).keys()]
  expect(paths).toContain('/usr/local/bin/python3')
  const library = paths.find((path) => path.endsWith('/os.py'))?.replace('os.py', '') ?? ''
  expect(library).toMatch(/^\/usr\/local\/lib\/python3\.\d+\/$/)
  for (const name of ['json/__init__.py', 'asyncio/__init__.py', 'encodings/utf_8.py'])
    expect(paths).toContain(library + name)
  expect(paths.filter((path) => path.startsWith(library) && /\/(?:test|site-packages|idlelib)\//.test(path))).toEqual(
    [],
  )
})
