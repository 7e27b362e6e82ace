// The examples that run in containers, as they lie in functions/.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32, deflateSync, inflateSync } from 'node:zlib'

import { expect, test } from 'vitest'

import { describeWithDocker } from '#test/invoker/sandbox/docker/daemon'
import { RunningFunction } from '#test/invoker/sandbox/docker/running-function'

const ROOT_DIR = fileURLToPath(new URL('../../', import.meta.url))

async function folder(path: string, at = ''): Promise<Record<string, Uint8Array>> {
  const names = await readdir(join(ROOT_DIR, path))
  const files = await Promise.all(
    names.map(async (name) => [`${at}${name}`, await readFile(join(ROOT_DIR, path, name))] as const),
  )
  return Object.fromEntries(files)
}

await describeWithDocker('an example in a container:', (get) => {
  test('hello-node greets, with its dependency', async () => {
    const files = {
      ...(await folder('functions/hello-node')),
      ...(await folder('node_modules/picocolors', 'node_modules/picocolors/')),
    }
    await using running = await RunningFunction.start(get().driver, 'node', files)
    expect((await running.call({ target: '/?name=Ada' })).text).toMatch(/^Hello, Ada! This is Node\.js v\d+\.\S+\.\n$/)
    expect((await running.call({ headers: [['user-agent', 'curl/8.0']] })).text).toContain('\u001b[32mworld')
  })

  test('hello-python greets', async () => {
    await using running = await RunningFunction.start(get().driver, 'python', await folder('functions/hello-python'))
    const { text, logs } = await running.call({ method: 'POST', body: '{"name":"Ada"}' })
    expect(JSON.parse(text)).toMatchObject({ message: 'Hello, Ada!' })
    expect(logs).toEqual(['stdout: greeting Ada'])
    expect(JSON.parse((await running.call()).text)).toMatchObject({ message: 'Hello, world!' })
  })

  test('sse-node sends its events one by one', async () => {
    await using running = await RunningFunction.start(get().driver, 'node', await folder('functions/sse-node'))
    const events: string[] = []
    const times: number[] = []
    const onChunk = (bytes: Uint8Array): void => {
      events.push(Buffer.from(bytes).toString())
      times.push(performance.now())
    }
    const { head, outcome } = await running.call({ target: '/?count=4', onChunk })
    expect(outcome).toEqual({ kind: 'responded', status: 200 })
    expect(head?.headers).toContainEqual(['content-type', 'text/event-stream'])
    expect(events).toHaveLength(4)
    expect(events[3]).toMatch(/^id: 4\nevent: tick\ndata: \{"number":4,"at":"[^"]+"\}\n\n$/)
    expect((times[3] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(200)
  })

  test('thumbnail shrinks an image and keeps its colours', async () => {
    await using running = await RunningFunction.start(get().driver, 'node', await folder('functions/thumbnail'))
    const { head, bytes, logs } = await running.call({ method: 'POST', target: '/?width=2', body: halves(400, 200) })
    expect(head?.headers).toContainEqual(['content-type', 'image/png'])
    expect(logs).toEqual(['stdout: 400 x 200 -> 2 x 1'])
    expect(bytes.readUInt32BE(16)).toBe(2)
    const data = bytes.subarray(bytes.indexOf('IDAT') + 4)
    expect([...inflateSync(data)]).toEqual([0, 200, 10, 20, 255, 30, 40, 250, 255])
  })

  test('thumbnail says what it wants', async () => {
    await using running = await RunningFunction.start(get().driver, 'node', await folder('functions/thumbnail'))
    expect((await running.call()).head?.status).toBe(405)
    const refused = await running.call({ method: 'POST', body: 'not an image' })
    expect(JSON.parse(refused.text)).toEqual({
      status: 415,
      detail: 'the body must be a PNG image: received something else',
    })
    expect((await running.call({ method: 'POST', target: '/?width=0' })).head?.status).toBe(400)
  })
})

/** A PNG of 8-bit RGB whose left half has one colour and its right half another, each line filtered in another way. */
function halves(width: number, height: number): Buffer {
  const plain = Array.from({ length: height }, () =>
    Buffer.concat(Array.from({ length: width }, (_, x) => Buffer.from(x < width / 2 ? [200, 10, 20] : [30, 40, 250]))),
  )
  const lines = plain.map((line, y) => {
    const above = plain[y - 1] ?? Buffer.alloc(line.length)
    const filter = y % 5
    const filtered = line.map((byte, i) => {
      const [left, up, corner] = [line[i - 3] ?? 0, above[i] ?? 0, i < 3 ? 0 : (above[i - 3] ?? 0)]
      const guesses = [0, left, up, (left + up) >> 1, paeth(left, up, corner)]
      return (byte - (guesses[filter] ?? 0)) & 0xff
    })
    return Buffer.concat([Buffer.from([filter]), filtered])
  })
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const signature = Buffer.from('89504e470d0a1a0a', 'hex')
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(lines))),
    chunk('IEND'),
  ])
}

function paeth(left: number, up: number, corner: number): number {
  const distances = [left, up, corner].map((value) => Math.abs(left + up - corner - value))
  return [left, up, corner][distances.indexOf(Math.min(...distances))] ?? 0
}

function chunk(type: string, data: Buffer = Buffer.alloc(0)): Buffer {
  const content = Buffer.concat([Buffer.from(type), data])
  const bytes = Buffer.alloc(8 + content.length)
  bytes.writeUInt32BE(data.length, 0)
  bytes.set(content, 4)
  bytes.writeUInt32BE(crc32(content), 4 + content.length)
  return bytes
}
