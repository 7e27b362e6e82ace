// The Hono app whose file is HONO_APP.
const { pathToFileURL } = require('node:url')

const { handle } = require('hono/aws-lambda')

const handler = import(pathToFileURL(process.env.HONO_APP).href).then((app) => handle(app.default))
exports.hono = async (event, context) => (await handler)(event, context)
