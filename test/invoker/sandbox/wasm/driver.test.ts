import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { FileSet } from '#core/artifact'
import { createWasmDriver } from '#invoker/sandbox/wasm/driver'

import { handmade, WasmWorkshop } from './sandboxes.ts'

const never = new AbortController().signal
const SPEC = { runtime: 'js', engine: 'quickjs', memoryMiB: 64, concurrency: 1 } as const
const FINE = handmade(`
export async function instantiate(getCore, imports) {
  return {
    async handle() { return { status: 200, headers: [], body: new TextEncoder().encode('fine') } },
  }
}`)

let workshop: WasmWorkshop

beforeAll(async () => {
  workshop = await WasmWorkshop.open()
})
afterAll(() => workshop[Symbol.asyncDispose]())

describe('a host process that dies', () => {
  it('ends its sandboxes and their calls, and is started again for the next', async () => {
    const waiting = await workshop.load(handmade(WAITING))
    const call = waiting.call('/')
    await expect.poll(() => waiting.sandbox.responsive(1000)).toBe(true)
    process.kill(await hostPid(), 'SIGKILL')
    expect((await call).outcome).toEqual({ kind: 'exited', detail: 'the Wasm host ended: signal SIGKILL' })
    expect(await waiting.sandbox.ended).toMatchObject({ cause: 'exited' })
    expect(await waiting.sandbox.responsive(10)).toBe(false)
    await waiting.sandbox[Symbol.asyncDispose]()
    const next = await workshop.load(FINE)
    expect((await next.call('/')).text).toBe('fine')
  })

  it('is killed when it has more memory than it may, and says so', async () => {
    const dirs = { artifactDir: join(workshop.dir, 'artifacts'), cacheDir: join(workshop.dir, 'host') }
    await using driver = createWasmDriver({ ...dirs, maxHostMiB: 1 })
    const sandbox = await driver.create(SPEC, never)
    const end = await sandbox.ended
    expect(end).toMatchObject({ cause: 'exited', detail: expect.stringMatching(/MiB of memory, more than 1$/) })
  })

  it('that dies again and again is not started for ever', async () => {
    const dirs = { artifactDir: join(workshop.dir, 'artifacts'), cacheDir: join(workshop.dir, 'host') }
    await using driver = createWasmDriver(dirs)
    const deaths = async (): Promise<void> => {
      for (let death = 0; death < 20; death++) {
        const sandbox = await driver.create(SPEC, never)
        process.kill(await hostPid(), 'SIGKILL')
        await sandbox.ended
      }
    }
    await expect(deaths()).rejects.toMatchObject({ code: 'sandbox-unavailable', retryAfterS: expect.any(Number) })
  })
})

describe('load()', () => {
  it('says what is missing in an artifact', async () => {
    const files = new Map(FINE)
    files.delete('component.js')
    const { loaded } = await workshop.load(files)
    expect(loaded).toMatchObject({ loaded: false, failure: { message: expect.stringContaining('component.js') } })
  })

  it('asks for another deploy of what another version of Hearth has built', async () => {
    const files = new Map(FINE)
    const manifest = JSON.parse(Buffer.from(files.get('manifest.json')!).toString()) as { format: number }
    files.set('manifest.json', Buffer.from(JSON.stringify({ ...manifest, format: manifest.format - 1 })))
    const { loaded } = await workshop.load(files)
    const message = 'this artifact was built by another version of Hearth: deploy the function again'
    expect(loaded).toMatchObject({ loaded: false, failure: { message } })
  })

  it('says what a guest throws while it is instantiated', async () => {
    const { loaded } = await workshop.load(
      handmade("export async function instantiate() { throw new Error('not today') }"),
    )
    expect(loaded).toMatchObject({ loaded: false, failure: { type: 'Error', message: 'not today' } })
  })
})

describe('a component', () => {
  const hello = new URL('../../../../functions/hello-wasm/main.wasm', import.meta.url)
  /** A section of core types, with none in it. */
  const CORE_TYPES = Uint8Array.of(3, 1, 0)

  it.each([
    ['without glue', new Uint8Array(0), false],
    ['with the glue of jco when it is not put together as most are', CORE_TYPES, true],
  ])('runs %s', async (_how, more, glued) => {
    const files = await workshop.build('wasm', 'main.wasm', Buffer.concat([await readFile(hello), more]))
    expect(files.has('component.js')).toBe(glued)
    const served = await workshop.load(files)
    expect(await served.call('/here')).toMatchObject({
      outcome: { kind: 'responded', status: 200 },
      text: 'Hello from WebAssembly! You asked for /here.\n',
    })
    await served.sandbox[Symbol.asyncDispose]()
  })
})

describe('a js function', () => {
  let artifact: FileSet
  let server: Server
  let port: number

  beforeAll(async () => {
    artifact = await workshop.build('js', 'index.js', FETCHING)
    server = createServer((request, response) => {
      request.resume()
      if (request.url === '/moved') {
        response.writeHead(302, { location: '/there' }).end()
        return
      }
      response.writeHead(201, { 'x-seen': String(request.headers['x-mine']) }).end(`answer to ${request.method}`)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
  })
  afterAll(() => server.close())

  it('reaches what its egress names and gets a TypeError for what it may not', async () => {
    const url = encodeURIComponent(`http://127.0.0.1:${port}/x`)
    const allowed = await workshop.load(artifact, { egress: [`127.0.0.1:${port}`] })
    expect((await allowed.call(`/?url=${url}`)).text).toBe('201 v answer to POST')
    const denied = await workshop.load(artifact)
    expect((await denied.call(`/?url=${url}`)).text).toMatch(/^TypeError: .*127\.0\.0\.1 is not a public address/)
  })

  it('follows a redirect, or gets it, or fails, as it says, and knows where an answer came from', async () => {
    const sandbox = await workshop.load(artifact, { egress: ['127.0.0.1'] })
    const base = `http://127.0.0.1:${port}`
    const replies = await Promise.all(
      ['follow', 'manual', 'error', 'maybe'].map((redirect) =>
        sandbox.call(`/redirect?redirect=${redirect}&url=${encodeURIComponent(`${base}/moved#part`)}`),
      ),
    )
    expect(replies.map(({ text }) => text)).toEqual([
      `201  true ${base}/there`,
      `302 /there false ${base}/moved`,
      'TypeError: fetch failed: redirected to /there, which redirect: "error" forbids',
      'TypeError: redirect is one of follow, manual, error: received maybe',
    ])
  })

  it('runs fetches at the same time, and calls beside one that waits', async () => {
    const sandbox = await workshop.load(artifact, { egress: ['127.0.0.1'], concurrency: 8 })
    const url = encodeURIComponent(`http://127.0.0.1:${port}/x`)
    const replies = await Promise.all(Array.from({ length: 8 }, () => sandbox.call(`/?url=${url}`)))
    expect(replies.map(({ text }) => text)).toEqual(Array(8).fill('201 v answer to POST'))
  })

  it('sees a body that comes in pieces as one, and gives back one of several MiB', async () => {
    const sandbox = await workshop.load(artifact)
    const { outcome, text } = await sandbox.call('/echo', { method: 'POST', body: pieces() })
    expect(outcome).toEqual({ kind: 'responded', status: 200 })
    expect(text.length).toBe(5_000_000)
  })

  it('that is given or gives too large a body fails, and works afterwards', async () => {
    const sandbox = await workshop.load(artifact, { memoryMiB: 256 })
    const tooLarge = Buffer.alloc(17 * 1024 * 1024)
    const { outcome } = await sandbox.call('/echo', { method: 'POST', body: tooLarge })
    expect(outcome).toMatchObject({ kind: 'failed', failure: { type: 'RequestTooLarge' } })
    const large = await sandbox.call('/large')
    const message = 'a response body has at most 16777216 bytes'
    expect(large.outcome).toMatchObject({ kind: 'failed', failure: { type: 'ResponseTooLarge', message } })
    // Known before anything of it was sent: the caller is told by a status.
    expect(large.head).toBeUndefined()
    expect((await sandbox.call('/')).text).toBe('fine')
  })

  it('that waits for what never comes is told so', async () => {
    const sandbox = await workshop.load(artifact)
    expect((await sandbox.call('/never')).outcome).toMatchObject({ kind: 'failed', failure: { type: 'NoResponse' } })
    expect((await sandbox.call('/')).text).toBe('fine')
  })

  it('hears of its cancelling, and stops without being asked when it does not listen', async () => {
    const sandbox = await workshop.load(artifact)
    for (const target of ['/listen', '/ignore']) {
      const abort = new AbortController()
      const call = sandbox.call(target, { signal: abort.signal })
      setTimeout(() => abort.abort(), 50)
      const { outcome, logs } = await call
      expect(outcome).toEqual({ kind: 'cancelled' })
      expect(logs).toEqual(target === '/listen' ? ['stdout: heard'] : [])
    }
    expect((await sandbox.call('/')).text).toBe('fine')
  })

  it('has stacks that name the lines of the user', async () => {
    const sandbox = await workshop.load(artifact)
    const { outcome } = await sandbox.call('/throw')
    expect(outcome).toMatchObject({ kind: 'failed', failure: { stack: expect.stringMatching(/index\.js:\d+:\d+/) } })
  })
})

const WAITING = 'export async function instantiate() { return { handle: () => new Promise(() => {}) } }'
const FETCHING = `
export default {
  async fetch(request) {
    const url = new URL(request.url)
    if (url.pathname === '/echo') return new Response(await request.arrayBuffer())
    if (url.pathname === '/large') return new Response(new Uint8Array(17 * 1024 * 1024))
    if (url.pathname === '/never') await new Promise(() => {})
    if (url.pathname === '/throw') throw new Error('here')
    if (url.pathname === '/ignore') await new Promise((resolve) => setTimeout(resolve, 20000))
    if (url.pathname === '/listen') {
      await new Promise((resolve) => request.signal.addEventListener('abort', resolve))
      console.log('heard')
    }
    const target = url.searchParams.get('url')
    if (target === null) return new Response('fine')
    try {
      const redirect = url.searchParams.get('redirect')
      if (redirect !== null) {
        const { status, headers, redirected, url } = (await fetch(target, { redirect })).clone()
        return new Response([status, headers.get('location'), redirected, url].join(' '))
      }
      const response = await fetch(target, { method: 'POST', headers: { 'x-mine': 'v' }, body: 'ping' })
      return new Response(response.status + ' ' + response.headers.get('x-seen') + ' ' + await response.text())
    } catch (error) {
      return new Response(error.name + ': ' + error.message)
    }
  },
}
`

async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let piece = 0; piece < 5; piece++) yield Buffer.alloc(1_000_000, 'x')
}

/** Of the youngest child of this process that runs the host's bundle. */
async function hostPid(): Promise<number> {
  const children = (await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')).trim().split(' ')
  for (const pid of children.toReversed()) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (command.includes(join(workshop.dir, 'host'))) return Number(pid)
  }
  throw new Error('no host process found')
}
