// What a guest prints, whatever becomes of it afterwards.
import { readFile } from 'node:fs/promises'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { FileSet } from '#core/artifact'

import { assemble, assembleComponent, WasmWorkshop } from './sandboxes.ts'

const LOOP = "export default { fetch() { console.error('looping'); while (true); } }"
const FIXTURES = new URL('../../../contract/fixtures/', import.meta.url)

let workshop: WasmWorkshop

beforeAll(async () => {
  workshop = await WasmWorkshop.open()
})
afterAll(() => workshop[Symbol.asyncDispose]())

describe('output before an infinite loop', () => {
  it.each([
    ['js', () => workshop.build('js', 'index.js', LOOP)],
    ['a component', async () => workshop.build('wasm', 'main.wasm', await component())],
    ['a command', async () => workshop.build('wasm', 'main.wasm', await command())],
  ] as [string, () => Promise<FileSet>][])('comes while %s still spins', async (_what, build) => {
    const loaded = await workshop.load(await build())
    const logs: string[] = []
    const reply = loaded.call('/loop', { logs })
    await expect.poll(() => logs, { timeout: 5000 }).toEqual(['stderr: looping'])
    await loaded.sandbox[Symbol.asyncDispose]()
    expect((await reply).outcome).toMatchObject({ kind: 'exited' })
  })
})

function fixture(path: string): Promise<string> {
  return readFile(new URL(path, FIXTURES), 'utf8')
}

async function component(): Promise<Uint8Array> {
  const wit = await fixture('wasm-component/world.wit')
  return assembleComponent(await fixture('wasm-component/handler.as'), wit, 'contract')
}

async function command(): Promise<Uint8Array> {
  return assemble(await fixture('wasm-command/main.as'))
}
