// An unmodified Hono app: TypeScript, routing, JSON and middleware.
import { Hono } from 'hono'
import { cors } from 'hono/cors'

interface Greeting {
  readonly name: string
}

const app = new Hono()

app.use(cors())

app.get('/', (c) => c.text('Hello from Hono!\n'))

app.get('/hello/:name', (c) => c.json({ hello: c.req.param('name'), loud: c.req.query('loud') !== undefined }))

app.post('/hello', async (c) => {
  const { name } = await c.req.json<Greeting>()
  return c.json({ hello: name }, 201)
})

export default app
