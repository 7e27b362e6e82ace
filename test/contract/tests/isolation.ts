// Contract: a call has what was given to its function, and nothing of the host or of other functions.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect } from 'vitest'

import type { World } from '../world.ts'

/** Set in the environment of the test process before the driver is made. */
export const HOST_SECRET = { name: 'HEARTH_CONTRACT_SECRET', value: 'not for guests' } as const

export const isolationTests = {
  'runs calls at the same time': async (world: World) => {
    const version = await world.deploy({ concurrency: 4, maxSandboxes: 4 })
    const replies = await Promise.all(Array.from({ length: 8 }, () => world.call(version, '/sleep?ms=300')))
    expect(replies.map(({ text }) => text)).toEqual(Array(8).fill('slept'))
  },

  'captures standard output and error of a call': async (world: World) => {
    const { text, logs } = await world.call(await world.shared(), '/log?text=alone&n=3&ms=0')
    expect(text).toBe('logged')
    expect(linesOf(logs, 'stdout')).toEqual(['out alone 0', 'out alone 1', 'out alone 2'])
    expect(linesOf(logs, 'stderr')).toEqual(['err alone 0', 'err alone 1', 'err alone 2'])
    for (const { at } of logs) expect(Math.abs(Date.now() - at)).toBeLessThan(60_000)
  },

  'does not mix up the output of calls at the same time': async (world: World) => {
    const version = await world.deploy({ concurrency: 4, maxSandboxes: 2 })
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    const replies = await Promise.all(names.map((name) => world.call(version, `/log?text=${name}&n=4&ms=20`)))
    for (const [index, { logs }] of replies.entries()) {
      const expected = (kind: string): string[] => [0, 1, 2, 3].map((i) => `${kind} ${names[index]} ${i}`)
      expect(linesOf(logs, 'stdout')).toEqual(expected('out'))
      expect(linesOf(logs, 'stderr')).toEqual(expected('err'))
    }
  },

  'delivers the environment': async (world: World) => {
    const version = await world.deploy({ env: { GREETING: 'hej', EMPTY: '', ODD: 'a=b "c" é' } })
    expect((await world.call(version, '/env?name=GREETING')).text).toBe('hej')
    expect((await world.call(version, '/env?name=EMPTY')).text).toBe('')
    expect((await world.call(version, '/env?name=ODD')).text).toBe('a=b "c" é')
  },

  'hides the environment of the host': async (world: World) => {
    const { completion, text } = await world.call(await world.shared(), '/environ')
    expect(completion.outcome).toEqual({ kind: 'responded', status: 200 })
    expect(text).not.toContain(HOST_SECRET.name)
    expect(text).not.toContain(HOST_SECRET.value)
  },

  'hides the files of the host': async (world: World) => {
    const dir = await mkdtemp(join(tmpdir(), 'hearth-host-'))
    try {
      const path = join(dir, 'secret')
      await writeFile(path, HOST_SECRET.value, { mode: 0o644 })
      const { head, text } = await world.call(await world.shared(), `/file?path=${encodeURIComponent(path)}`)
      expect(head?.status).toBe(403)
      expect(text).not.toContain(HOST_SECRET.value)
    } finally {
      await rm(dir, { recursive: true })
    }
  },

  'hides the network of the host': async (world: World) => {
    let connections = 0
    const server = createServer((socket) => {
      connections += 1
      socket.destroy()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = server.address() as AddressInfo
      const { head } = await world.call(await world.shared(), `/connect?port=${port}`)
      expect(head?.status).toBe(403)
      expect(connections).toBe(0)
    } finally {
      server.close()
    }
  },

  'shows no state of one function to another': async (world: World) => {
    const first = await world.deploy()
    const second = await world.deploy()
    await world.call(first, '/state')
    await world.call(first, '/state')
    await world.call(first, '/write?path=/tmp/left-behind&text=secret')
    expect((await world.call(second, '/state')).text).toBe('1')
    expect((await world.call(second, '/file?path=/tmp/left-behind')).head?.status).toBe(403)
  },
} satisfies Record<string, (world: World) => Promise<void>>

function linesOf(logs: readonly { stream: string; text: string }[], stream: string): string[] {
  return logs.filter((line) => line.stream === stream).map(({ text }) => text)
}
