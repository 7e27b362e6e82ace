// A component by hand: the canonical ABI of wasi:http/incoming-handler in AssemblyScript. Handles are u32; texts and
// lists are a pointer and a length; what does not fit a result comes through memory that we point to.

// @ts-ignore: decorator
@external("wasi:http/types@0.2.0", "[constructor]fields")
declare function newFields(): u32
// @ts-ignore: decorator
@external("wasi:http/types@0.2.0", "[method]fields.append")
declare function append(fields: u32, name: usize, nameLength: u32, value: usize, valueLength: u32, result: usize): void
// @ts-ignore: decorator
@external("wasi:http/types@0.2.0", "[method]incoming-request.path-with-query")
declare function pathWithQuery(request: u32, result: usize): void
// @ts-ignore: decorator
@external("wasi:http/types@0.2.0", "[constructor]outgoing-response")
declare function newResponse(headers: u32): u32
// @ts-ignore: decorator
@external("wasi:http/types@0.2.0", "[method]outgoing-response.body")
declare function responseBody(response: u32, result: usize): void
// @ts-ignore: decorator
@external("wasi:http/types@0.2.0", "[method]outgoing-body.write")
declare function openBody(body: u32, result: usize): void
// @ts-ignore: decorator
@external("wasi:http/types@0.2.0", "[static]outgoing-body.finish")
declare function finishBody(body: u32, hasTrailers: u32, trailers: u32, result: usize): void
// @ts-ignore: decorator
@external("wasi:http/types@0.2.0", "[static]response-outparam.set")
declare function setResponse(out: u32, isError: u32, response: u32, e1: u32, e2: u64, e3: u32, e4: u32, e5: u32, e6: u32): void
// @ts-ignore: decorator
@external("wasi:io/streams@0.2.0", "[method]output-stream.blocking-write-and-flush")
declare function write(stream: u32, bytes: usize, length: u32, result: usize): void
// @ts-ignore: decorator
@external("wasi:io/streams@0.2.0", "[resource-drop]output-stream")
declare function dropStream(stream: u32): void
// @ts-ignore: decorator
@external("wasi:http/types@0.2.0", "[resource-drop]incoming-request")
declare function dropRequest(request: u32): void

/** Room for the largest result: `result<_, error-code>`. */
const result = memory.data(64, 8)

/** The host asks for memory here. Never freed: an instance answers one request. */
export function cabi_realloc(old: usize, oldSize: usize, align: usize, size: usize): usize {
  const fresh = (heap.alloc(size + align) + align - 1) & ~(align - 1)
  if (oldSize > 0) memory.copy(fresh, old, oldSize)
  return fresh
}

/** Exported as `wasi:http/incoming-handler@0.2.0#handle` by export-handler.mjs. */
export function handle(request: u32, out: u32): void {
  pathWithQuery(request, result)
  let path = '/'
  if (load<u8>(result) == 1) path = String.UTF8.decodeUnsafe(load<usize>(result, 4), load<u32>(result, 8))
  dropRequest(request)

  const headers = newFields()
  const name = String.UTF8.encode('content-type')
  const value = String.UTF8.encode('text/plain;charset=UTF-8')
  append(headers, changetype<usize>(name), name.byteLength, changetype<usize>(value), value.byteLength, result)

  const response = newResponse(headers)
  responseBody(response, result)
  const body = load<u32>(result, 4)
  setResponse(out, 0, response, 0, 0, 0, 0, 0, 0)

  const text = String.UTF8.encode(`Hello from WebAssembly! You asked for ${path}.\n`)
  openBody(body, result)
  const stream = load<u32>(result, 4)
  write(stream, changetype<usize>(text), text.byteLength, result)
  dropStream(stream)
  finishBody(body, 0, 0, result)
}
