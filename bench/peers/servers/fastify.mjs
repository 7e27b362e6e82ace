// usage: node fastify.mjs PORT
import fastify from 'fastify'

const server = fastify()
server.get('/', (request, reply) => reply.type('text/plain').send('hello world'))
await server.listen({ host: '127.0.0.1', port: Number(process.argv[2]) })
