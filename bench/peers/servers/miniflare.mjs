// usage: node miniflare.mjs PORT APP
import { readFileSync } from 'node:fs'

import { Miniflare } from 'miniflare'

const worker = new Miniflare({
  host: '127.0.0.1',
  port: Number(process.argv[2]),
  modules: true,
  script: readFileSync(process.argv[3], 'utf8'),
  compatibilityDate: '2026-01-01',
})
await worker.ready
process.once('SIGTERM', () => void worker.dispose().then(() => process.exit(0)))
