// What a spare worker does before anybody needs it: loads functions of the platform's own and calls them as sandboxes do,
// so that V8 has compiled what they all run, and node has loaded what it loads late. Nothing of a tenant is practised
// with: a worker serves one function in its life. The instances are dropped, and nothing of them stays.
import { FrameFlag, FrameType, type InvokeHead } from '#core/frames'

import { FrameSocket } from '../../frame-socket.ts'
import type { LoadMessage } from './messages.ts'
import { PortStream } from './port-stream.ts'
import { SandboxAgent } from './sandbox-agent.ts'

const CALLS = 8
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

/**
 * Never rejects: a function that cannot be loaded or called was in vain.
 * @param taken whether the worker has become a sandbox meanwhile: its function waits, and the practice ends
 */
export async function practise(load: LoadMessage, taken: () => boolean): Promise<void> {
  const socket = new FrameSocket(new PortStream({ postMessage() {} }), { onFrame() {}, onClose() {} })
  const agent = new SandboxAgent({ socket, channel: 0, importGlue: () => Promise.reject(new Error()), onGlueCode() {} })
  await agent.load(load)
  const head = Buffer.from(JSON.stringify(HEAD))
  const size = Buffer.alloc(4)
  size.writeUInt32LE(head.length)
  const payload = Buffer.concat([size, head])
  for (let call = 1; call <= CALLS && !taken(); call++) {
    agent.receive({ type: FrameType.invoke, flags: FrameFlag.end, channel: 0, call, payload })
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
