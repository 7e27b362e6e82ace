// The baseline of the sync path: nothing but node:http. usage: node node-http.mjs [PORT]; prints its port.
import http from 'node:http'

const server = http.createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 11 })
  response.end('hello world')
})
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => console.log(server.address().port))
