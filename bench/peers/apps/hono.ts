// The same small app everywhere: two middlewares, three routes.
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { etag } from 'hono/etag'

const app = new Hono()
app.use('*', cors())
app.use('/json/*', etag())
app.get('/', (c) => c.text('hello world'))
app.get('/json/:id', (c) => c.json({ id: c.req.param('id'), q: c.req.query('q') ?? null }))
app.post('/echo', async (c) => c.json(await c.req.json(), 201))

export default app
