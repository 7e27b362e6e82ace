// What a spare worker does before anybody needs it: loads a js function and calls it as sandboxes do, so that V8 has
// compiled what they all run, and node has loaded what it loads late. None of the function's code runs, and nothing of it
// stays: its handler is not called (see WasmManifest.rehearses), and the instance is dropped.
import { FrameFlag, FrameType, type InvokeHead } from '#core/frames'

import { FrameSocket } from '../../frame-socket.ts'
import type { PractiseMessage } from './messages.ts'
import { PortStream } from './port-stream.ts'
import { SandboxAgent } from './sandbox-agent.ts'

const CALLS = 8
const REHEARSAL_CALL = 0
const HEAD: InvokeHead = {
  id: 'inv_practice',
  method: 'GET',
  target: '/practice?of=nothing',
  origin: 'http://127.0.0.1',
  headers: [
    ['host', '127.0.0.1'],
    ['accept', '*/*'],
  ],
  attempt: 1,
  deadline: 0,
}

/** Never rejects. */
export async function practise({ manifest, modules, memoryMiB }: PractiseMessage): Promise<void> {
  const socket = new FrameSocket(new PortStream({ postMessage() {} }), { onFrame() {}, onClose() {} })
  const agent = new SandboxAgent({ socket, channel: 0, importGlue: () => Promise.reject(new Error()), onGlueCode() {} })
  const spec = { env: {}, memoryMiB, instances: 'reset' } as const
  await agent.load({ kind: 'load', spec, manifest, modules, gluePath: '', glueCode: undefined })
  const head = Buffer.from(JSON.stringify(HEAD))
  const size = Buffer.alloc(4)
  size.writeUInt32LE(head.length)
  const payload = Buffer.concat([size, head])
  for (let call = 0; call < CALLS; call++) {
    agent.receive({ type: FrameType.invoke, flags: FrameFlag.end, channel: 0, call: REHEARSAL_CALL, payload })
    await turn()
  }
  agent[Symbol.dispose]()
  socket.close()
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
