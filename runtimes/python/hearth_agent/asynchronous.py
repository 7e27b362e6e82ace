"""Calls of asynchronous code: ASGI applications and `async def handler`. All of them run in one event loop."""

import asyncio
from threading import Thread
from urllib.parse import unquote_to_bytes

from .answer import Context, bytes_of, closing, event_of, read_answer
from .call import Cancelled
from .output import current_call
from .wire import INLINE_BYTES

_STARTUP_SECONDS = 3600


class EventLoop:
    """The loop's own thread. `leave` is called with a SystemExit that the user's code raised."""

    def __init__(self, leave):
        self._leave = leave
        self._loop = asyncio.new_event_loop()
        # The loop itself holds on to tasks only weakly.
        self.tasks = set()
        Thread(target=self._run, name="hearth-loop", daemon=True).start()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        except SystemExit as error:
            self._leave(error)

    def soon(self, function, *arguments):
        """In the loop's thread."""
        self._loop.call_soon_threadsafe(function, *arguments)

    def wait(self, coroutine):
        """From another thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_STARTUP_SECONDS)

    def start(self, call, answer):
        """Runs `await answer(call, incoming)` as the call's code."""
        self.soon(self._start, call, answer)

    def _start(self, call, answer):
        changed = asyncio.Event()
        task = self._loop.create_task(self._answer(call, answer, changed))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

        def on_change():
            changed.set()
            if call.cancelled:
                task.cancel()

        call.on_change = lambda: self.soon(on_change)
        if call.cancelled:
            task.cancel()

    async def _answer(self, call, answer, changed):
        current_call.set(call)
        try:
            await answer(call, Incoming(call, changed))
        except SystemExit as error:
            self._leave(error)
        except BaseException as error:
            call.fail(error)
        else:
            call.end()


class Incoming:
    """The waiting of a call in the loop."""

    def __init__(self, call, changed):
        self._call = call
        self._changed = changed

    async def wait_for(self, attempt, *arguments):
        while True:
            result = attempt(*arguments)
            if result is not None:
                return result
            self._changed.clear()
            await self._changed.wait()

    async def read_body(self):
        whole, more = bytearray(), True
        while more:
            data, more = await self.wait_for(self._call.take_body)
            whole += data
        return bytes(whole)

    async def send(self, data):
        view = memoryview(data)
        while len(view) > 0:
            size = await self.wait_for(self._call.take_window, len(view))
            self._call.send_chunk(view[:size])
            view = view[size:]


def coroutine_answer(handler, load_head):
    async def answer(call, incoming):
        answered = read_answer(await handler(event_of(await incoming.read_body()), Context(call, load_head)))
        if not answered.streams and len(answered.body) <= INLINE_BYTES:
            call.complete(answered.status, answered.headers, answered.body)
            return
        call.start(answered.status, answered.headers)
        pieces = answered.body if answered.streams else iter((answered.body,))
        with closing(pieces):
            for piece in pieces:
                await incoming.send(bytes_of(piece))
        call.complete()

    return answer


def asgi_answer(app, state):
    async def answer(call, incoming):
        exchange = _Exchange(call, incoming)
        await app(_scope(call.head, state), exchange.receive, exchange.send)

    return answer


class _Exchange:
    """One request and its response, as ASGI's receive and send."""

    def __init__(self, call, incoming):
        self._call = call
        self._incoming = incoming
        self._more_request = True
        self._head = None
        self._started = False
        self._complete = False

    async def receive(self):
        if self._more_request:
            try:
                data, self._more_request = await self._incoming.wait_for(self._call.take_body)
            except Cancelled:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": data, "more_body": self._more_request}
        await self._incoming.wait_for(lambda: True if self._complete or self._call.cancelled else None)
        return {"type": "http.disconnect"}

    async def send(self, message):
        kind = message["type"]
        if kind == "http.response.start" and self._head is None:
            pairs = message.get("headers", ())
            headers = [[bytes(name).decode("latin-1").lower(), bytes(value).decode("latin-1")] for name, value in pairs]
            self._head = (message["status"], headers)
        elif kind == "http.response.body" and self._head is not None and not self._complete:
            await self._send_body(bytes(message.get("body", b"")), message.get("more_body", False))
        else:
            raise RuntimeError(f"an ASGI response is a start and then its body: received {kind}")

    async def _send_body(self, body, more):
        if not self._started and not more and len(body) <= INLINE_BYTES:
            self._call.complete(*self._head, body)
        else:
            inline = not self._started and len(body) <= INLINE_BYTES
            if not self._started:
                self._call.start(*self._head, body if inline else b"")
                self._started = True
            if not inline:
                await self._incoming.send(body)
            if not more:
                self._call.complete()
        if not more:
            self._complete = True
            self._call.on_change()


def _scope(head, state):
    path, _, query = head["target"].partition("?")
    scheme, _, host = head["origin"].partition("://")
    name, _, port = host.rpartition(":")
    raw_path = path.encode("latin-1", "replace")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": head["method"],
        "scheme": scheme,
        "path": unquote_to_bytes(raw_path).decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": query.encode("latin-1", "replace"),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in head["headers"]],
        "client": None,
        "server": (name, int(port)) if name and port.isdigit() else (host, 443 if scheme == "https" else 80),
    }
    if state is not None:
        scope["state"] = state.copy()
    return scope


async def start_lifespan(app, tasks):
    """Runs the application's startup. Gives the state that it made, or None when it does not know lifespans.

    Raises RuntimeError when the application says that its startup failed.
    """
    state, started, for_ever = {}, asyncio.get_running_loop().create_future(), asyncio.Event()
    messages = [{"type": "lifespan.startup"}]

    async def receive():
        if messages:
            return messages.pop()
        # A sandbox is not shut down but killed: there is no lifespan.shutdown.
        await for_ever.wait()

    async def send(message):
        if not started.done():
            failed = message["type"] == "lifespan.startup.failed"
            started.set_result(RuntimeError(message.get("message") or "the startup failed") if failed else state)

    async def run():
        try:
            scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
            await app(scope, receive, send)
        except Exception:
            # The specification: an application that raises does not support lifespans.
            pass
        if not started.done():
            started.set_result(None)

    tasks.add(asyncio.get_running_loop().create_task(run()))
    result = await started
    if isinstance(result, RuntimeError):
        raise result
    return result
