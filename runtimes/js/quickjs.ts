// The web API on QuickJS, which has ECMAScript, queueMicrotask, btoa, atob and DOMException alone. Imported for its
// effect before the user's code; says nothing of how calls come in (serve.ts).
import host from 'hearth:js/host@0.1.0'

import { isLive, uncaught } from './calls.ts'
import { Blob, File } from './web/blob.ts'
import { makeConsole } from './web/console.ts'
import { TextDecoder, TextEncoder } from './web/encoding.ts'
import { AbortController, AbortSignal, CustomEvent, Event, EventTarget } from './web/events.ts'
import { fetch } from './web/fetch.ts'
import { FormData } from './web/form-data.ts'
import { Headers } from './web/headers.ts'
import { crypto, mathRandom } from './web/random.ts'
import { ReadableStream, ReadableStreamDefaultController, ReadableStreamDefaultReader } from './web/readable-stream.ts'
import { Request } from './web/request.ts'
import { Response } from './web/response.ts'
import { structuredClone } from './web/structured-clone.ts'
import { clearTimeout, setInterval, setTimeout } from './web/timers.ts'
import {
  ByteLengthQueuingStrategy,
  CountQueuingStrategy,
  TextDecoderStream,
  TextEncoderStream,
  TransformStream,
  TransformStreamDefaultController,
} from './web/transform-stream.ts'
import { URLSearchParams } from './web/url-search-params.ts'
import { URL } from './web/url.ts'
import { WritableStream, WritableStreamDefaultController, WritableStreamDefaultWriter } from './web/writable-stream.ts'

// The engine's own performance counts from the snapshot, so it would be negative. Ours counts from its first use.
let timeOrigin = 0
const performance = {
  get timeOrigin() {
    if (timeOrigin === 0 && isLive()) timeOrigin = host.now()
    return timeOrigin
  },
  now() {
    const origin = this.timeOrigin
    return isLive() ? host.now() - origin : 0
  },
}
Math.random = mathRandom

// The engine's own drops what a callback throws.
const engineMicrotask = globalThis.queueMicrotask
function queueMicrotask(callback: () => void): void {
  if (typeof callback !== 'function')
    throw new TypeError(`queueMicrotask expects a function: received ${typeof callback}`)
  engineMicrotask(() => {
    try {
      callback()
    } catch (thrown) {
      uncaught(thrown)
    }
  })
}

const globals: Record<string, unknown> = {
  AbortController,
  AbortSignal,
  Blob,
  ByteLengthQueuingStrategy,
  CountQueuingStrategy,
  CustomEvent,
  Event,
  EventTarget,
  File,
  FormData,
  Headers,
  ReadableStream,
  ReadableStreamDefaultController,
  ReadableStreamDefaultReader,
  Request,
  Response,
  TextDecoder,
  TextDecoderStream,
  TextEncoder,
  TextEncoderStream,
  TransformStream,
  TransformStreamDefaultController,
  URL,
  URLSearchParams,
  WritableStream,
  WritableStreamDefaultController,
  WritableStreamDefaultWriter,
  clearInterval: clearTimeout,
  clearTimeout,
  console: makeConsole(),
  crypto,
  fetch,
  navigator: { userAgent: 'Hearth' },
  performance,
  queueMicrotask,
  self: globalThis,
  setInterval,
  setTimeout,
  structuredClone,
}
for (const [name, value] of Object.entries(globals)) {
  Object.defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true })
  // The prelude is minified, and names are seen: by console, and by libraries that compare constructor.name.
  if (typeof value === 'function') Object.defineProperty(value, 'name', { value: name, configurable: true })
}
