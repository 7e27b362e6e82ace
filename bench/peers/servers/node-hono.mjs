// usage: node node-hono.mjs PORT APP: a Hono app on node:http, without isolation.
import { pathToFileURL } from 'node:url'

import { serve } from '@hono/node-server'

const app = (await import(pathToFileURL(process.argv[3]).href)).default
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.argv[2]) })
