// Makes thumbnails of PNG images.
//   curl --data-binary @photo.png '127.0.0.1:8787/fn/thumbnail?width=200' > small.png
// Keeps the proportions and the transparency, never enlarges. No dependencies: Node.js has zlib.
import { decodePng, encodePng, PngError } from './png.mjs'
import { shrink } from './shrink.mjs'

const DEFAULT_WIDTH = 160
const MAX_WIDTH = 2000

export default {
  async fetch(request) {
    if (request.method !== 'POST' && request.method !== 'PUT') {
      return problem(405, 'POST a PNG image: curl --data-binary @photo.png .../fn/thumbnail?width=200')
    }
    const given = new URL(request.url).searchParams.get('width') ?? String(DEFAULT_WIDTH)
    const width = Number(given)
    if (!Number.isInteger(width) || width < 1 || width > MAX_WIDTH) {
      return problem(400, `width must be an integer from 1 to ${MAX_WIDTH}: received ${given}`)
    }
    try {
      const image = decodePng(await request.bytes())
      const small = shrink(image, width)
      console.log(`${image.width} x ${image.height} -> ${small.width} x ${small.height}`)
      return new Response(encodePng(small), { headers: { 'content-type': 'image/png' } })
    } catch (error) {
      if (error instanceof PngError) return problem(415, error.message)
      throw error
    }
  },
}

function problem(status, detail) {
  return Response.json({ status, detail }, { status, headers: { 'content-type': 'application/problem+json' } })
}
