exports.hello = (request, response) => {
  response.type('text/plain').send('hello world')
}

// The Hono app whose file is HONO_APP.
const { pathToFileURL } = require('node:url')

const { getRequestListener } = require('@hono/node-server')

const listener =
  process.env.HONO_APP === undefined
    ? undefined
    : import(pathToFileURL(process.env.HONO_APP).href).then((app) => getRequestListener(app.default.fetch))
exports.hono = async (request, response) => (await listener)(request, response)
