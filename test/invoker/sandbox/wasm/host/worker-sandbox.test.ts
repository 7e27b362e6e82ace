import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'

import { describe, expect, it } from 'vitest'

import { digestOf } from '#core/digest'
import { type Frame, FrameType } from '#core/frames'
import { FORMAT } from '#invoker/sandbox/wasm/artifact'
import type { Termination } from '#invoker/sandbox/driver'
import { ModuleCache } from '#invoker/sandbox/wasm/host/modules'
import { WorkerSandbox } from '#invoker/sandbox/wasm/host/worker-sandbox'

/** A sandbox whose worker runs `code`, with `send(channel, type)` to speak in frames. */
function start(code: string, modules = new ModuleCache(1)) {
  const prelude = `
    const { parentPort } = require('node:worker_threads')
    function send(channel, type) {
      const bytes = new ArrayBuffer(12)
      const view = new DataView(bytes)
      view.setUint32(0, 8, true)
      view.setUint8(4, type)
      view.setUint16(6, channel, true)
      parentPort.postMessage(bytes)
    }
    parentPort.on('message', () => {})
  `
  const frames: Frame[] = []
  const ended = Promise.withResolvers<Termination>()
  const sandbox = new WorkerSandbox({
    channel: 7,
    worker: new Worker(prelude + code, { eval: true }),
    modules,
    onFrame: (frame) => frames.push(frame),
    onEnd: ended.resolve,
  })
  return { sandbox, frames, ended: ended.promise }
}

/** Code of a worker that gives its glue. */
function post(byte: number): string {
  return `parentPort.postMessage({ kind: 'glue-code', code: Uint8Array.of(${byte}) });`
}

describe('a worker that is not what it should be', () => {
  it('cannot speak for another sandbox', async () => {
    const { frames, ended } = start(`send(7, ${FrameType.pong}); send(8, ${FrameType.pong})`)
    expect(await ended).toEqual({ cause: 'exited', detail: 'the sandbox spoke on a channel of another' })
    expect(frames.map(({ channel }) => channel)).toEqual([7])
  })

  it('gives its compiled glue once, and not after it has said that it has loaded', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'hearth-glue-'))
    const local = async (path: string, text: string) => {
      await writeFile(join(dir, path), text)
      return { path, digest: digestOf(Buffer.from(text)), size: text.length, localPath: join(dir, path) }
    }
    const manifest = JSON.stringify({ format: FORMAT, glue: 'component.js', script: true, cores: {} })
    const files = [await local('manifest.json', manifest), await local('component.js', '({})')]
    const modules = new ModuleCache(1)
    const glueAfter = async (code: string) => {
      const { sandbox, ended } = start(
        `parentPort.on('message', ({ kind }) => { if (kind === 'load') { ${code} } })`,
        modules,
      )
      const head = Buffer.from(JSON.stringify({ spec: {}, files }))
      const size = Buffer.alloc(4)
      size.writeUInt32LE(head.length)
      sandbox.receive({ type: FrameType.load, flags: 0, channel: 7, call: 0, payload: Buffer.concat([size, head]) })
      await ended
      return (await modules.load(files)).glueCode
    }
    const exit = 'setTimeout(() => process.exit(0), 20)'
    expect(await glueAfter(`send(7, ${FrameType.loaded}); ${post(1)} ${exit}`)).toBeUndefined()
    expect(await glueAfter(`${post(2)} ${post(3)} send(7, ${FrameType.loaded}); ${exit}`)).toEqual(Uint8Array.of(2))
    expect(await glueAfter(`${post(4)} ${exit}`)).toEqual(Uint8Array.of(2))
    await rm(dir, { recursive: true })
  })

  it('ends when it sends what is not a frame', async () => {
    const { ended } = start('parentPort.postMessage(new Uint8Array(32).fill(255).buffer)')
    expect(await ended).toMatchObject({ cause: 'exited', detail: expect.stringContaining('a frame has') })
  })

  it('ends when it throws or exits, and says how', async () => {
    expect(await start("throw new Error('broken')").ended).toEqual({ cause: 'exited', detail: 'broken' })
    expect(await start('process.exit(3)').ended).toEqual({ cause: 'exited', detail: 'exit code 3' })
  })

  it('that is terminated says nothing any more', async () => {
    const { sandbox, ended } = start('for (;;);')
    sandbox.terminate()
    sandbox.terminate()
    const silence = new Promise((resolve) => setTimeout(() => resolve('silence'), 100))
    expect(await Promise.race([ended, silence])).toBe('silence')
  })
})
