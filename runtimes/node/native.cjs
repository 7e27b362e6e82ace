'use strict'
// Node's own Response, Headers and fetch, as far as they are needed. Even to look at these globals, fetch excepted,
// loads what is behind them: 20 ms and 7 MiB, which most functions can do without.

const fetchOfNode = globalThis.fetch
/** Known once anything was fetched: before there are no instances. */
const classes = { Response: undefined, Headers: undefined }

async function nativeFetch(input, init) {
  const response = await fetchOfNode(input, init)
  classes.Response ??= response.constructor
  classes.Headers ??= response.headers.constructor
  return response
}

async function nativeClasses() {
  if (classes.Response === undefined) await nativeFetch('data:,')
  return classes
}

function isNative(name, value) {
  return classes[name] !== undefined && value instanceof classes[name]
}

module.exports = { nativeFetch, nativeClasses, isNative }
