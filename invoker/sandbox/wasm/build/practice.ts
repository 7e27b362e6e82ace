// The function with which the spare workers of the Wasm host practise (host/practice.ts): the platform's own, and built as
// those of users are. It does what most of them do first.
import type { Draft } from '#core/build'
import { parseFunctionName } from '#core/ids'
import { parseSpec } from '#core/spec'

const CODE = `export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url)
    const told = request.headers.get('accept')
    return Response.json({ path: url.pathname, told, attempt: ctx.attempt }, { headers: { 'x-practice': 'yes' } })
  },
}
`

export function practiceDraft(): Draft {
  return {
    name: parseFunctionName('practice'),
    spec: parseSpec({ runtime: 'js', memoryMiB: 64 }, 'js'),
    source: new Map([['index.js', Buffer.from(CODE)]]),
  }
}
