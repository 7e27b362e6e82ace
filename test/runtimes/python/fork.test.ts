// Python calls in processes of their own, forked from the one that has loaded the code. In real containers.
import { expect, test } from 'vitest'

import { describeWithDocker } from '#test/invoker/sandbox/docker/daemon'
import { RunningFunction } from '#test/invoker/sandbox/docker/running-function'

const MAIN = `import os, sys, time, threading, subprocess
kept = []
def handler(event, context):
    what, value = event
    if what == "state":
        kept.append(value)
        return [kept, os.getpid() != 1, os.getppid()]
    if what == "exit":
        print("last words")
        sys.exit(value)
    if what == "abort":
        os.abort()
    if what == "throw":
        raise ValueError(value)
    if what == "bomb":
        while True:
            kept.append(b"x" * (1 << 20))
    if what == "loop":
        while True:
            pass
    if what == "sleep":
        time.sleep(value)
        print("slept", value)
        print("to stderr", file=sys.stderr)
        return value
    if what == "echo":
        return value
    if what == "large":
        return "x" * value
    if what == "stream":
        return (("%d," % n) for n in range(value))
    if what == "left":
        subprocess.Popen(["python3", "-c", "import time; time.sleep(1000)"])
        return None
    if what == "processes":
        return sorted(int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, os.getpid()))
`

await describeWithDocker('python with isolation "fork"', (get) => {
  const start = (main: string, spec: Record<string, unknown> = {}): Promise<RunningFunction> =>
    RunningFunction.start(get().driver, 'python', { 'main.py': main }, { isolation: 'fork', ...spec })

  test('no call sees what another has left in memory', async () => {
    await using running = await start(MAIN)
    for (const value of ['a', 'b']) {
      expect(JSON.parse((await running.call(asking('state', value))).text)).toEqual([[value], true, 1])
    }
  })

  test('a call that ends its process ends nothing else', async () => {
    await using running = await start(MAIN)
    const beside = running.call(asking('sleep', 0.5))
    expect(await running.call(asking('exit', 7))).toMatchObject({
      outcome: { kind: 'exited', detail: 'exit code 7' },
      logs: ['stdout: last words'],
    })
    expect((await running.call(asking('abort', 0))).outcome).toEqual({ kind: 'exited', detail: 'signal 6' })
    expect((await running.call(asking('throw', 'why'))).outcome).toMatchObject({
      kind: 'failed',
      failure: { type: 'ValueError', message: 'why' },
    })
    expect(await beside).toMatchObject({ text: '0.5', logs: ['stdout: slept 0.5', 'stderr: to stderr'] })
  })

  test('a call that takes all memory is the one that ends', async () => {
    await using running = await start(MAIN, { memoryMiB: 128 })
    expect((await running.call(asking('bomb', 0))).outcome).toEqual({ kind: 'out-of-memory', limitMiB: 128 })
    expect((await running.call(asking('echo', 'after'))).text).toBe('after')
  })

  test('a cancelled call is killed at once, whatever it does; the sandbox answers all the while', async () => {
    await using running = await start(MAIN)
    const caller = new AbortController()
    const call = running.call({ ...asking('loop', 0), signal: caller.signal })
    expect(await running.sandbox.responsive(5000)).toBe(true)
    caller.abort()
    expect((await call).outcome).toEqual({ kind: 'cancelled' })
    expect((await running.call(asking('echo', 'after'))).text).toBe('after')
  })

  test('what a call has started ends with it', async () => {
    await using running = await start(MAIN)
    expect((await running.call(asking('left', 0))).outcome).toEqual({ kind: 'responded', status: 204 })
    await expect.poll(async () => (await running.call(asking('processes', 0))).text).toBe('[]')
  })

  test('bodies larger than the window, streams and calls at the same time', async () => {
    await using running = await start(MAIN)
    const large = 'y'.repeat(3 << 20)
    const [echoed, sent, streamed] = await Promise.all([
      running.call(asking('echo', large)),
      running.call(asking('large', 5 << 20)),
      running.call(asking('stream', 1000)),
    ])
    expect(echoed.text === large).toBe(true)
    expect(sent.bytes.length).toBe(5 << 20)
    expect(streamed.text).toBe(Array.from({ length: 1000 }, (_, n) => `${n},`).join(''))
  })

  test('coroutines and ASGI applications, each with its own loop and startup', async () => {
    await using coroutine = await start(
      `import asyncio\nseen = 0\nasync def handler(event, context):\n    global seen\n    seen += 1\n    await asyncio.sleep(0)\n    return seen\n`,
    )
    expect((await coroutine.call()).text).toBe('1')
    expect((await coroutine.call()).text).toBe('1')
    await using asgi = await start(`async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["made"] = "at the startup"
        await send({"type": "lifespan.startup.complete"})
        return
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": scope["state"]["made"].encode()})
`)
    expect((await asgi.call()).text).toBe('at the startup')
    expect((await asgi.call()).text).toBe('at the startup')
  })
})

function asking(...event: readonly unknown[]): { body: string } {
  return { body: JSON.stringify(event) }
}
