// Server-sent events: one every 100 ms, seen by the caller as it is sent.
//   curl -N '127.0.0.1:8787/fn/sse-node?count=5'
// A browser reads it with `new EventSource('/fn/sse-node')`. When the caller goes away, the events stop.
import { setInterval } from 'node:timers/promises'

const EVERY_MS = 100
const MAX_COUNT = 1000

export default {
  async fetch(request) {
    const wanted = Number(new URL(request.url).searchParams.get('count') ?? 10)
    const count = Math.min(Math.max(1, Math.trunc(wanted) || 1), MAX_COUNT)
    const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' }
    return new Response(ReadableStream.from(events(count, request.signal)), { headers })
  },
}

async function* events(count, signal) {
  const encoder = new TextEncoder()
  let number = 0
  for await (const _ of setInterval(EVERY_MS, undefined, { signal })) {
    number += 1
    yield encoder.encode(
      `id: ${number}\nevent: tick\ndata: ${JSON.stringify({ number, at: new Date().toISOString() })}\n\n`,
    )
    if (number === count) return
  }
}
