// What every contract fixture does, whatever its language: one table, selected by the path of the request.
// Says nothing about how: a fixture is an ordinary function of its runtime (fixtures/).

/** Path → what the fixture answers. Text bodies are UTF-8 without a line end. */
export const BEHAVIOURS = {
  '/hello': '200, text/plain, "hello"',
  '/echo': '200, the request body byte for byte; headers x-method (the method) and x-target (path and raw query)',
  '/headers': '200, JSON: the request headers as an array of [name, value]',
  '/cookies': '200, two set-cookie headers: "a=1" and "b=2"',
  '/status?code=N': 'status N, body "status N"; 204 without a body',
  '/throw': 'throws an error (TypeError, in Python ValueError) with the message "deliberate failure"',
  '/loop': 'spins for ever without yielding',
  '/bomb': 'allocates and touches memory until it is stopped',
  '/exit': 'ends its own process with code 7 (a component: a trap)',
  '/log?text=T&n=N&ms=M':
    'N times: "out T <i>" to stdout, "err T <i>" to stderr, i from 0, M ms after each; then 200 "logged"',
  '/env?name=K': '200, the value of K in the environment it was given, "" when there is none',
  '/environ': '200, JSON: everything it can find out about its environment, as an object of texts',
  '/file?path=P': '200 with the content of the file P, or 403 when it cannot be read',
  '/write?path=P&text=T': '200 when T was written to the file P, or 403 when it cannot be',
  '/connect?port=N': '200 when 127.0.0.1:N accepted a connection or a request, else 403',
  '/sleep?ms=M': 'waits M ms without spinning, ends early when it is cancelled, then 200 "slept"',
  '/stream?n=N&ms=M': '200, N chunks "chunk <i>\\n", i from 0, M ms before each but the first, each sent at once',
  '/later?ms=M': '200 "now" at once; M ms later, still in the same call (ctx.waitUntil), "later" to stdout',
  '/state': '200, how many times this instance of the code has answered /state, counting this one: "1", "2" …',
} as const satisfies Record<string, string>

/** What the broken fixture (fixtures/broken) throws while it is loaded. */
export const BROKEN_MESSAGE = 'broken at load'
