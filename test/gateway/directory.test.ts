import { expect, test } from 'vitest'

import { systemClock } from '#core/clock'
import { parseSpec } from '#core/spec'
import { FunctionDirectory } from '#gateway/directory'

import { MemoryFunctions } from './memory.ts'

async function deploy(functions: MemoryFunctions, name: string, digest: string): Promise<void> {
  const draft = { function: name, digest, spec: parseSpec({}, 'js'), source: [], artifact: [], toolchain: '' }
  await functions.deploy(draft as never, 0)
}

test('many calls at once ask the store once', async () => {
  const functions = new MemoryFunctions()
  await deploy(functions, 'up', '1')
  using directory = new FunctionDirectory(functions, systemClock)
  const versions = await Promise.all(Array.from({ length: 10 }, async () => directory.resolve('up')))
  expect(new Set(versions).size).toBe(1)
  expect(functions.reads).toBe(2)
  expect(directory.resolve('up')).toBe(versions[0])
})

test('a change by any process is seen at the next call, and only that function is read again', async () => {
  const functions = new MemoryFunctions()
  await deploy(functions, 'up', '1')
  await deploy(functions, 'upper', '1')
  using directory = new FunctionDirectory(functions, systemClock)
  await Promise.all([directory.resolve('up'), directory.resolve('up@1'), directory.resolve('upper')])
  await deploy(functions, 'up', '2')
  const reads = functions.reads
  expect((await directory.resolve('up')).number).toBe(2)
  expect((await directory.resolve('up@1')).number).toBe(1)
  expect((await directory.resolve('upper')).number).toBe(1)
  expect(functions.reads).toBe(reads + 4)
})

test('lost messages make it forget everything', async () => {
  const functions = new MemoryFunctions()
  await deploy(functions, 'up', '1')
  using directory = new FunctionDirectory(functions, systemClock)
  await directory.resolve('up')
  functions.changed(undefined)
  const reads = functions.reads
  await directory.resolve('up')
  expect(functions.reads).toBe(reads + 2)
})

test('what was read while a change came is not kept', async () => {
  const functions = new MemoryFunctions()
  await deploy(functions, 'up', '1')
  using directory = new FunctionDirectory(functions, systemClock)
  const early = directory.resolve('up')
  await deploy(functions, 'up', '2')
  await early
  expect((await directory.resolve('up')).number).toBe(2)
})

test('a name that is not there is remembered for a second', async () => {
  let now = 0
  const functions = new MemoryFunctions()
  using directory = new FunctionDirectory(functions, { ...systemClock, now: () => now })
  const ask = async (): Promise<unknown> => directory.resolve('nope')
  await expect(ask()).rejects.toMatchObject({ code: 'function-not-found' })
  const reads = functions.reads
  now = 999
  await expect(ask()).rejects.toMatchObject({ code: 'function-not-found' })
  expect(functions.reads).toBe(reads)
  now = 1000
  await expect(ask()).rejects.toMatchObject({ code: 'function-not-found' })
  expect(functions.reads).toBe(reads + 1)
})

test('a failure of the store is not remembered', async () => {
  const functions = new MemoryFunctions()
  await deploy(functions, 'up', '1')
  using directory = new FunctionDirectory(functions, systemClock)
  const get = functions.get.bind(functions)
  functions.get = async () => {
    throw new Error('down')
  }
  await expect(directory.resolve('up')).rejects.toThrow('down')
  functions.get = get
  expect((await directory.resolve('up')).number).toBe(1)
})

test('it stops listening when it is disposed', async () => {
  const functions = new MemoryFunctions()
  await deploy(functions, 'up', '1')
  const directory = new FunctionDirectory(functions, systemClock)
  await directory.resolve('up')
  directory[Symbol.dispose]()
  await deploy(functions, 'up', '2')
  expect((await directory.resolve('up')).number).toBe(1)
})
