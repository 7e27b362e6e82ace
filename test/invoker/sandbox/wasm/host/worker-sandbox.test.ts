import { Worker } from 'node:worker_threads'

import { describe, expect, it } from 'vitest'

import { type Frame, FrameType } from '#core/frames'
import type { Termination } from '#invoker/sandbox/driver'
import { ModuleCache } from '#invoker/sandbox/wasm/host/modules'
import { WorkerSandbox } from '#invoker/sandbox/wasm/host/worker-sandbox'

/** A sandbox whose worker runs `code`, with `send(channel, type)` to speak in frames. */
function start(code: string) {
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
    modules: new ModuleCache(1),
    onFrame: (frame) => frames.push(frame),
    onEnd: ended.resolve,
  })
  return { sandbox, frames, ended: ended.promise }
}

describe('a worker that is not what it should be', () => {
  it('cannot speak for another sandbox', async () => {
    const { frames, ended } = start(`send(7, ${FrameType.pong}); send(8, ${FrameType.pong})`)
    expect(await ended).toEqual({ cause: 'exited', detail: 'the sandbox spoke on a channel of another' })
    expect(frames.map(({ channel }) => channel)).toEqual([7])
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
