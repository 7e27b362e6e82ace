// A worker thread of the Wasm host: first a spare, then one sandbox, for one function only. Runs in a bundle.
import { parentPort } from 'node:worker_threads'
import { pathToFileURL } from 'node:url'

import { FrameSocket } from '../../frame-socket.ts'
import { lockDown } from './lock-down.ts'
import type { GlueCodeMessage, PractisedMessage, ToWorker } from './messages.ts'
import { PortStream } from './port-stream.ts'
import { practise } from './practice.ts'
import { SandboxAgent } from './sandbox-agent.ts'

const port = parentPort!
const stream = new PortStream(port)
let agent: SandboxAgent | undefined
const socket = new FrameSocket(stream, { onFrame: (frame) => agent?.receive(frame), onClose: () => {} })

// A guest that breaks leaves promises of the glue behind that nobody waits for.
process.on('unhandledRejection', () => {})
const importGlue = lockDown()

port.on('message', (message: ArrayBuffer | ToWorker) => {
  if (message instanceof ArrayBuffer) return stream.receive(message)
  if (message.kind === 'assign') {
    agent = new SandboxAgent({
      socket,
      channel: message.channel,
      importGlue: (path) => importGlue(pathToFileURL(path).href),
      onGlueCode: (code) => port.postMessage({ kind: 'glue-code', code } satisfies GlueCodeMessage),
    })
    return
  }
  if (message.kind === 'practise') {
    void practise(message.load, () => agent !== undefined).then(() =>
      port.postMessage({ kind: 'practised' } satisfies PractisedMessage),
    )
    return
  }
  void agent?.load(message)
})
