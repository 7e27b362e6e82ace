// The Wasm host process: worker threads that run functions, and the frames between them and the driver. Started by
// host-process.ts with node's permissions taken away; has no files but its own and the artifacts, no network, no
// environment. Decides nothing: it does what the driver says, and says when a sandbox ended.
import { Socket } from 'node:net'

import type { LocalFile } from '#core/artifact'
import { type Frame, FrameError, FrameFlag, parseJson } from '#core/frames'

import { FrameSocket } from '../../frame-socket.ts'
import { ControlType } from '../control.ts'
import { ModuleCache } from './modules.ts'
import { practiceComponent } from './practice-component.ts'
import { SpareWorkers } from './spares.ts'
import { WorkerSandbox } from './worker-sandbox.ts'

const PRACTICE_SPEC = { env: {}, memoryMiB: 64, instances: 'reset' } as const

const [workerPath = '', spareCount = '2', cacheBytes = '268435456'] = process.argv.slice(2)

const modules = new ModuleCache(Number(cacheBytes))
const spares = new SpareWorkers({ workerPath, count: Number(spareCount) })
spares.practiseWith(practiceComponent())
const sandboxes = new Map<number, WorkerSandbox>()

const driver = new FrameSocket(new Socket({ fd: 3 }), {
  onFrame: (frame) => (frame.channel === 0 ? control(frame) : sandboxes.get(frame.channel)?.receive(frame)),
  // The driver is gone, and with it every reason to run.
  onClose: () => process.exit(0),
})

function control(frame: Frame): void {
  if (frame.type === ControlType.create) return create(frame.call)
  if (frame.type === ControlType.dispose) {
    sandboxes.get(frame.call)?.terminate()
    sandboxes.delete(frame.call)
    return
  }
  if (frame.type === ControlType.practise) return void practise(parseJson(frame.payload) as readonly LocalFile[])
  throw new FrameError(`the driver does not send control frames of type ${frame.type}`)
}

async function practise(files: readonly LocalFile[]): Promise<void> {
  try {
    const { keepGlueCode: _, ...loaded } = await modules.load(files)
    spares.practiseWith({ kind: 'load', spec: PRACTICE_SPEC, ...loaded })
  } catch {
    // Starts are slower without, and no worse.
  }
}

function create(channel: number): void {
  const sandbox = new WorkerSandbox({
    channel,
    worker: spares.take(),
    modules,
    onFrame: (frame) => driver.send(frame, frame.payload),
    onEnd: (termination) => {
      sandboxes.delete(channel)
      const header = { type: ControlType.ended, flags: FrameFlag.none, channel: 0, call: channel }
      driver.send(header, Buffer.from(JSON.stringify(termination)))
    },
  })
  sandboxes.set(channel, sandbox)
}
