// hello for jco serve: the exported handler may be called again in the same instance, which a fetch event may not.
import { Fields, OutgoingBody, OutgoingResponse, ResponseOutparam } from 'wasi:http/types@0.2.12'

export const incomingHandler = {
  handle(request, out) {
    const response = new OutgoingResponse(Fields.fromList([['content-type', new TextEncoder().encode('text/plain')]]))
    const body = response.body()
    ResponseOutparam.set(out, { tag: 'ok', val: response })
    const stream = body.write()
    stream.blockingWriteAndFlush(new TextEncoder().encode('hello world'))
    stream[Symbol.dispose]()
    OutgoingBody.finish(body, undefined)
  },
}
