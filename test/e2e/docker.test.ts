// What needs containers, through the front door.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { FunctionStatus } from '#cli/functions'
import { installationOf } from '#cli/serve/parts'
import { LABELS } from '#invoker/sandbox/docker/labels'
import { tempDir, type TempDir } from '#test/temp-dir'

import { eventually, startHearth, type RunningHearth } from './hearth.ts'
import { runBlock, runnableBlocks } from './readme.ts'

const PYTHON = `
import time

def handler(event, context):
    time.sleep((event or {}).get("s", 0))
    return {"hello": (event or {}).get("name")}
`
const SSE = `
export default {
  fetch() {
    const stream = new ReadableStream({
      async start(controller) {
        for (let i = 0; i < 5; i++) {
          controller.enqueue(new TextEncoder().encode('data: ' + i + '\\n\\n'))
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
        controller.close()
      },
    })
    return new Response(stream, { headers: { 'content-type': 'text/event-stream' } })
  },
}
`

describe('with Docker', () => {
  let dir: TempDir
  let settings: Record<string, string>
  let hearth: RunningHearth

  beforeAll(async () => {
    dir = await tempDir()
    settings = {
      HEARTH_DATA_DIR: join(dir.path, 'data'),
      HEARTH_CACHE_DIR: join(dir.path, 'cache'),
      // So that every container is a function's, and "docker ps" can be held against what should be there.
      HEARTH_STEM_CELLS: 'off',
      HEARTH_PAUSE_AFTER_MS: '300',
    }
    hearth = await startHearth(settings)
  })
  afterAll(async () => {
    await hearth?.[Symbol.asyncDispose]()
    await dir[Symbol.asyncDispose]()
  })

  async function deploy(name: string, contentType: string, code: string, query = ''): Promise<void> {
    const headers = { 'content-type': contentType }
    const response = await hearth.api(`/v1/functions/${name}${query}`, { method: 'PUT', headers, body: code })
    expect([name, response.status, await response.text()]).toEqual([name, 201, expect.any(String)])
  }

  it('the banner says that it is on', () => {
    expect(hearth.ready.drivers).toContainEqual(expect.objectContaining({ name: 'docker', on: true }))
  })

  it('Python runs in a container', async () => {
    await deploy('py', 'text/x-python', PYTHON)
    const response = await hearth.fn('py', { method: 'POST', body: '{"name":"Ada"}' })
    expect(await response.json()).toEqual({ hello: 'Ada' })
    expect(await containers()).not.toEqual([])
  })

  it('server-sent events of a node function are seen one by one', async () => {
    await deploy('sse', 'text/javascript', SSE, '?runtime=node')
    await (await hearth.fn('sse')).text()
    const response = await hearth.fn('sse')
    const pieces: string[] = []
    for await (const chunk of response.body ?? []) pieces.push(Buffer.from(chunk).toString())
    expect(pieces.join('')).toBe([0, 1, 2, 3, 4].map((i) => `data: ${i}\n\n`).join(''))
    expect(pieces.length).toBeGreaterThan(1)
  })

  it('an idle function scales to zero, and the next call is served', async () => {
    const before = await containers()
    await deploy('brief', 'text/x-python', PYTHON, '?keepAliveMs=200')
    expect((await hearth.fn('brief')).status).toBe(200)
    await eventually(containers, (now) => now.every((id) => before.includes(id)))
    const again = await hearth.fn('brief')
    expect([again.status, again.headers.get('hearth-start')]).toEqual([200, 'cold'])
  })

  it('an idle container is paused, and the next call wakes it', async () => {
    await deploy('rest', 'text/x-python', PYTHON, '?keepAlive=1h')
    expect((await hearth.fn('rest')).headers.get('hearth-start')).toBe('cold')
    const status = async () => (await (await hearth.api('/v1/functions/rest')).json()) as FunctionStatus
    await eventually(status, ({ state, sandboxes }) => state === 'paused' && sandboxes.paused === 1)
    const woken = await hearth.fn('rest', { method: 'POST', body: '{"name":"Ada"}' })
    expect([woken.headers.get('hearth-start'), await woken.json()]).toEqual(['warm', { hello: 'Ada' }])
    expect((await status()).wakes.paused).toMatchObject({ count: 1 })
    const metrics = await (await hearth.api('/metrics')).text()
    expect(metrics).toMatch(/hearth_wakes_total\{driver="docker",state="paused"\} [1-9]/)
  })

  it('a stem cell takes a first call, and is replaced', async () => {
    await using cells = await tempDir()
    const other = { HEARTH_DATA_DIR: join(cells.path, 'data'), HEARTH_CACHE_DIR: settings.HEARTH_CACHE_DIR as string }
    await using warmed = await startHearth(other)
    const headers = { 'content-type': 'text/x-python' }
    const deployed = await warmed.api('/v1/functions/cell?keepAliveMs=10', { method: 'PUT', headers, body: PYTHON })
    expect(deployed.status).toBe(201)
    const start = async () => (await warmed.fn('cell')).headers.get('hearth-start')
    await eventually(start, (kind) => kind === 'specialized')
  })

  it('a start after kill -9 removes the containers that were left, and the end leaves none', async () => {
    expect((await hearth.fn('py')).status).toBe(200)
    const left = await containers()
    expect(left).not.toEqual([])
    hearth.kill('SIGKILL')
    await hearth.exited
    hearth = await startHearth(settings)
    const now = await containers()
    expect(now.filter((id) => left.includes(id))).toEqual([])
    expect((await hearth.fn('py')).status).toBe(200)
    hearth.interrupt()
    expect(await hearth.exited).toBe(0)
    expect(await containers()).toEqual([])
    hearth = await startHearth(settings)
  })

  it('the commands of the README that need containers work as they are written', async () => {
    const outputs: string[] = []
    for (const block of runnableBlocks('README.md', 'sh run docker')) outputs.push(await runBlock(block, hearth))
    expect(outputs.join('')).toContain('✓ hello-python deployed version 1')
    expect(outputs.join('')).toContain('Ada')
    expect(outputs.join('')).toContain('✓ hello-node deployed version 1')
  })

  /** Ids of the containers of this installation: others may run beside it. */
  async function containers(): Promise<string[]> {
    const label = `${LABELS.installation}=${installationOf({ dataDir: hearth.ready.dataDir })}`
    const { stdout } = await promisify(execFile)('docker', ['ps', '--all', '--quiet', '--filter', `label=${label}`])
    return stdout.split('\n').filter(Boolean)
  }
})
