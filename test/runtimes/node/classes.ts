// Our Request, Response and Headers beside Node's: whatever is done to both must come out the same.
import { createRequire } from 'node:module'

export interface Classes {
  readonly Headers: typeof Headers
  readonly Response: typeof Response
  readonly Request: typeof Request
}

const require = createRequire(import.meta.url)
const { Headers: OurHeaders } = require('../../../runtimes/node/headers.cjs') as Classes
const { Response: OurResponse, Request: OurRequest } = require('../../../runtimes/node/web.cjs') as Classes
export const { requestOf } = require('../../../runtimes/node/request.cjs') as {
  readonly requestOf: (this: void, call: object) => Request
}
/** Those of runtimes/node. */
export const ours: Classes = { Headers: OurHeaders, Response: OurResponse, Request: OurRequest }
export const native: Classes = { Headers, Response, Request }

export type Doing = (classes: Classes) => unknown

/** What it gives, or the class of what it throws. */
export async function outcomeOf(doing: Doing, classes: Classes): Promise<unknown> {
  try {
    return await doing(classes)
  } catch (error) {
    return (error as Error).constructor.name
  }
}
