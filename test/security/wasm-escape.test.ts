import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { permissions } from '#invoker/sandbox/wasm/host-process'
import { handmade, WasmWorkshop } from '#test/invoker/sandbox/wasm/sandboxes'

// Each line is one attempt: what it is after, and code that gives what it got or throws.
const ATTEMPTS = `
  file: async () => (await import('node:fs')).readFileSync('/etc/passwd', 'utf8'),
  fileByFunction: async () => (await Function('return import("node:fs")')()).readFileSync('/etc/passwd', 'utf8'),
  fileByHostFunction: async () =>
    (await host.log.constructor('return import("node:fs")')()).readFileSync('/etc/passwd', 'utf8'),
  module: async () => import('data:text/javascript,export default 1'),
  spawn: async () => (await import('node:child_process')).execSync('id').toString(),
  worker: async () => new (await import('node:worker_threads')).Worker('1', { eval: true, execArgv: [] }),
  builtin: async () => process.getBuiltinModule('node:fs'),
  binding: async () => process.binding('fs'),
  require: async () => require('node:fs'),
  kill: async () => process.kill(process.ppid, 0),
  environment: async () => JSON.stringify(process.env),
  connect: async () => (await import('node:net')).connect(PORT, '127.0.0.1'),
  fetch: async () => (await fetch('http://127.0.0.1:PORT/')).status,
  socket: async () => new WebSocket('ws://127.0.0.1:PORT/'),
  broadcast: async () => new BroadcastChannel('x'),
  stackTrace: async () => {
    let caught
    Error.prepareStackTrace = (_error, sites) => sites.map((site) => site.getFunction?.() ?? site.getThis?.())
    const stack = new Error().stack
    Error.prepareStackTrace = undefined
    caught = stack.find((value) => value !== undefined && value !== globalThis)
    if (caught === undefined) throw new Error('nothing')
    return caught
  },
`

const GLUE = `
export async function instantiate(getCore, imports) {
  const host = imports['hearth:js/host']
  const attempts = {${ATTEMPTS}}
  return {
    async handle() {
      const got = {}
      for (const [name, attempt] of Object.entries(attempts)) {
        try { got[name] = 'GOT ' + String(await attempt()).slice(0, 80) } catch (error) { got[name] = String(error) }
      }
      return { status: 200, headers: [], body: new TextEncoder().encode(JSON.stringify(got)) }
    },
  }
}
`

let workshop: WasmWorkshop

beforeAll(async () => {
  workshop = await WasmWorkshop.open()
})
afterAll(() => workshop[Symbol.asyncDispose]())

describe('hostile glue in a worker', () => {
  it.each([
    ['a module', false],
    ['a script', true],
  ])('that is %s finds no file, process, network, environment or way to code that has them', async (_form, script) => {
    let connections = 0
    const server = createServer(() => (connections += 1))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const glue = GLUE.replaceAll('PORT', String(port))
    const form = script ? `({${glue.replace('export async function', 'async')}})` : glue
    const sandbox = await workshop.load(handmade(form, script))
    expect(sandbox.loaded).toEqual({ loaded: true })
    const got = JSON.parse((await sandbox.call('/')).text) as Record<string, string>
    expect(Object.keys(got).length).toBe(16)
    for (const [name, result] of Object.entries(got)) expect(`${name}: ${result}`).not.toContain('GOT')
    expect(connections).toBe(0)
    server.close()
  })

  it('cannot stop another sandbox from answering', async () => {
    const spinning = await workshop.load(handmade(handler('for (;;);')))
    const call = spinning.call('/')
    const other = await workshop.load(
      handmade(handler("return { status: 200, headers: [], body: new TextEncoder().encode('fine') }")),
    )
    expect((await other.call('/')).text).toBe('fine')
    await spinning.sandbox[Symbol.asyncDispose]()
    expect((await call).outcome.kind).toBe('exited')
  })

  it('whatever it throws, and whenever, ends no other sandbox', async () => {
    const other = await workshop.load(
      handmade(handler("return { status: 200, headers: [], body: new TextEncoder().encode('fine') }")),
    )
    const throwing = await workshop.load(
      handmade(handler("setTimeout(() => { throw new Error('late') }, 0); await new Promise(() => {})")),
    )
    const { outcome } = await throwing.call('/')
    expect(outcome).toMatchObject({ kind: 'exited', detail: expect.stringContaining('late') })
    expect(await throwing.sandbox.ended).toMatchObject({ cause: 'exited' })
    expect((await other.call('/')).text).toBe('fine')
  })

  it('ends as out of memory when it fills the heap of its worker, and others do not notice', async () => {
    const other = await workshop.load(
      handmade(handler("return { status: 200, headers: [], body: new TextEncoder().encode('fine') }")),
    )
    const filling = await workshop.load(
      handmade(handler('const kept = []; for (;;) kept.push(Array(100000).fill({}))')),
    )
    expect((await filling.call('/')).outcome).toEqual({ kind: 'out-of-memory', limitMiB: 64 })
    expect((await other.call('/')).text).toBe('fine')
  })
})

describe('the host process', () => {
  it('has no environment', async () => {
    const pid = await hostPid()
    expect(await readFile(`/proc/${pid}/environ`, 'utf8')).toBe('')
  })

  it('could itself not read, write, spawn or connect, should a worker take it over', async () => {
    const path = join(workshop.dir, 'host', 'taken.mjs')
    await writeFile(path, TAKEN_OVER)
    const flags = permissions([join(workshop.dir, 'host'), join(workshop.dir, 'artifacts')])
    const child = spawn(process.execPath, [...flags, path], { env: {}, stdio: ['ignore', 'pipe', 'ignore'] })
    const results = JSON.parse(await text(child.stdout)) as Record<string, string>
    for (const [name, result] of Object.entries(results)) {
      expect(`${name}: ${result}`).toBe(`${name}: ERR_ACCESS_DENIED`)
    }
    expect(Object.keys(results)).toHaveLength(7)
  })
})

function handler(body: string): string {
  return `export async function instantiate() { return { async handle() { ${body} } } }`
}

/** Of the only child of this process that runs the host's bundle. */
async function hostPid(): Promise<string> {
  const { driver } = workshop
  await (
    await driver.create(
      { runtime: 'js', engine: 'quickjs', memoryMiB: 64, concurrency: 1 },
      new AbortController().signal,
    )
  )[Symbol.asyncDispose]()
  const children = (await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')).trim().split(' ')
  for (const pid of children) {
    if ((await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes(join(workshop.dir, 'host'))) return pid
  }
  throw new Error('no host process found')
}

const TAKEN_OVER = `
import { execSync } from 'node:child_process'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { lookup } from 'node:dns/promises'
const attempts = {
  read: () => readFileSync('/etc/passwd'),
  list: () => readdirSync('/'),
  write: () => writeFileSync('/tmp/taken', 'x'),
  spawn: () => execSync('id'),
  connect: () => new Promise((resolve, reject) => connect(22, '127.0.0.1').on('connect', resolve).on('error', reject)),
  listen: () => new Promise((resolve, reject) => createServer().on('error', reject).listen(0, resolve)),
  resolve: () => lookup('localhost'),
}
const results = {}
for (const [name, attempt] of Object.entries(attempts)) {
  try { await attempt(); results[name] = 'done' } catch (error) { results[name] = error.code ?? String(error) }
}
process.stdout.write(JSON.stringify(results))
`
