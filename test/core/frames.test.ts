import { describe, expect, it } from 'vitest'

import { type Frame, FrameDecoder, FrameType, HEADER_BYTES, MAX_FRAME_BYTES, parseJson, splitHead } from '#core/frames'

function encode(type: number, channel: number, call: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt32LE(HEADER_BYTES - 4 + payload.length, 0)
  header[4] = type
  header[5] = 3
  header.writeUInt16LE(channel, 6)
  header.writeUInt32LE(call, 8)
  return Buffer.concat([header, payload])
}

function decode(chunks: readonly Buffer[]): Frame[] {
  const frames: Frame[] = []
  const decoder = new FrameDecoder((frame) => frames.push({ ...frame, payload: Buffer.from(frame.payload) }))
  for (const chunk of chunks) decoder.push(chunk)
  return frames
}

const stream = Buffer.concat([
  encode(FrameType.invoke, 0, 1, Buffer.from('one')),
  encode(FrameType.body, 65_535, 4_294_967_295, Buffer.alloc(0)),
  encode(FrameType.log, 7, 2, Buffer.from([0, 255, 128])),
])
const expected = [
  { type: FrameType.invoke, flags: 3, channel: 0, call: 1, payload: Buffer.from('one') },
  { type: FrameType.body, flags: 3, channel: 65_535, call: 4_294_967_295, payload: Buffer.alloc(0) },
  { type: FrameType.log, flags: 3, channel: 7, call: 2, payload: Buffer.from([0, 255, 128]) },
]

describe('FrameDecoder', () => {
  it('finds all frames of one chunk', () => {
    expect(decode([stream])).toEqual(expected)
  })

  it('finds the same frames however the bytes are cut', () => {
    for (let size = 1; size < stream.length; size++) {
      const chunks = Array.from({ length: Math.ceil(stream.length / size) }, (_, index) =>
        stream.subarray(index * size, (index + 1) * size),
      )
      expect(decode(chunks), `cut into ${size}`).toEqual(expected)
    }
  })

  it.each([0, HEADER_BYTES - 5, MAX_FRAME_BYTES])('refuses a length field of %i', (length) => {
    const header = Buffer.alloc(HEADER_BYTES)
    header.writeUInt32LE(length, 0)
    expect(() => decode([header])).toThrow('bytes: received one of')
  })
})

describe('splitHead()', () => {
  it('gives the JSON and the bytes after it', () => {
    const payload = Buffer.concat([Buffer.from([7, 0, 0, 0]), Buffer.from('{"a":1}'), Buffer.from('rest')])
    expect(splitHead(payload)).toEqual({ head: { a: 1 }, body: Buffer.from('rest') })
  })

  it.each([[Buffer.from([1, 0])], [Buffer.from([9, 0, 0, 0, 1])], [Buffer.from([2, 0, 0, 0, 0x7b, 0x7b])]])(
    'refuses %j',
    (payload) => {
      expect(() => splitHead(payload)).toThrow(expect.objectContaining({ name: 'FrameError' }))
    },
  )
})

it('parseJson() refuses what is not JSON', () => {
  expect(() => parseJson(Buffer.from('nope'))).toThrow('JSON is expected: received 4 bytes of something else')
})
