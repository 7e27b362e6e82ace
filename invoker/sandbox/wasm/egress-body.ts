// Reads a response for a guest: whole, decompressed, within a limit.
import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate } from 'node:zlib'

interface Decoded {
  readonly body: Uint8Array
  readonly headers: [string, string][]
}

type Decode = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>

/** For servers that compress although they were asked not to. */
const DECODERS: Readonly<Record<string, Decode>> = {
  gzip: promisify(gunzip) as Decode,
  'x-gzip': promisify(gunzip) as Decode,
  deflate: promisify(inflate) as Decode,
  br: promisify(brotliDecompress) as Decode,
}
/** They say how the message travelled, which is over. */
const OF_THE_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** @throws Error when the body is larger than the limit, breaks off, or is not what its encoding says */
export async function decodeBody(response: IncomingMessage, maxBytes: number): Promise<Decoded> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (size > maxBytes) throw new Error(`a response has at most ${maxBytes} bytes`)
  }
  const bytes = Buffer.concat(chunks, size)
  const encoding = response.headers['content-encoding']?.toLowerCase() ?? ''
  const decode = size === 0 ? undefined : DECODERS[encoding]
  const gone = decode === undefined ? OF_THE_HOP : OF_THE_HOP.union(new Set(['content-encoding', 'content-length']))
  const headers = pairsOf(response.rawHeaders).filter(([name]) => !gone.has(name))
  return { body: decode === undefined ? bytes : await decode(bytes, { maxOutputLength: maxBytes }), headers }
}

function pairsOf(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = []
  for (let index = 0; index + 1 < raw.length; index += 2) pairs.push([raw[index]!.toLowerCase(), raw[index + 1]!])
  return pairs
}
