// Functions that the end-to-end tests deploy, and how.
import type { RunningHearth } from './hearth.ts'

export const UPPER = 'export default { fetch: async r => new Response((await r.text()).toUpperCase()) }'
/** Answers after `ms` of the query. */
export const SLOW = `export default {
  async fetch(request) {
    const ms = Number(new URL(request.url).searchParams.get('ms'))
    await new Promise((resolve) => setTimeout(resolve, ms))
    return new Response('done')
  },
}`

export function deployJs(hearth: RunningHearth, name: string, code: string, query = ''): Promise<Response> {
  const headers = { 'content-type': 'text/javascript' }
  return hearth.api(`/v1/functions/${name}${query}`, { method: 'PUT', headers, body: code })
}
