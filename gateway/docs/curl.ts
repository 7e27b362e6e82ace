// A command that can be pasted, for an operation.
import type { Operation, Schema } from '../openapi/operation.ts'

const BASE = 'http://127.0.0.1:8787'

export function curlExample(call: {
  readonly method: string
  readonly path: string
  readonly operation: Operation
}): string {
  const { method, path, operation } = call
  const parts = ['curl']
  if (method !== 'get' && method !== 'any') parts.push('-X', method.toUpperCase())
  parts.push(`${BASE}${fillIn(path, operation.parameters ?? [])}`)
  if (operation.security === undefined) parts.push('\\\n  -H "authorization: Bearer $TOKEN"')
  if (operation.operationId === 'deployFunction') {
    parts.push("\\\n  -H 'content-type: text/javascript' --data-binary @index.js")
  } else if (operation.requestBody !== undefined) parts.push("\\\n  -d 'hello'")
  return parts.join(' ')
}

function fillIn(path: string, parameters: readonly Schema[]): string {
  return path.replace(/\{(\w+)\}/g, (whole, name) => {
    const example = parameters.find((parameter) => parameter.name === name)?.example
    return typeof example === 'string' ? example : whole
  })
}
