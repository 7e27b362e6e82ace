"""Reads frames and runs calls. Threads take turns at reading: the one that reads a call of synchronous code runs it,
and the next one reads on. So no call is handed from thread to thread."""

import os
import socket
import sys
import threading

from .answer import Context, bytes_of, closing, event_of, read_answer
from .call import Call
from .failure import failed_load
from .load import Code, import_function, set_environment, unpack
from .output import Lines, capture_output, current_call
from .rehearsal import Rehearsal
from .wire import (
    BODY,
    CANCEL,
    END,
    INVOKE,
    LOAD,
    LOADED,
    PING,
    PONG,
    PROTOCOL,
    READY,
    TYPE_MASK,
    WINDOW,
    Wire,
    dump,
    number,
    split_head,
)

_SOCKET_PATH = "/run/hearth/agent.sock"
# inspect.CO_COROUTINE: importing inspect takes 8 ms
_CO_COROUTINE = 0x80


def main():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(_SOCKET_PATH)
    wire = Wire(connection)
    server = Server(wire)
    capture_output(server.outside, server.calls)
    rehearsal = Rehearsal(Server)
    server.before_load = rehearsal.stop
    version = ".".join(str(part) for part in sys.version_info[:3])
    wire.send(READY, 0, dump({"protocol": PROTOCOL, "runtime": f"python {version}"}))
    rehearsal.start_when_idle()
    server.take_turns()


class Server:
    """Takes code, then calls. The agent has one; its rehearsal has others."""

    def __init__(self, wire):
        self._wire = wire
        self.calls = {}
        # Output outside of calls.
        self.outside = Lines(wire, 0)
        # Called before code is taken.
        self.before_load = None
        # Makes `_answer`, which may start a thread.
        self._prepare = None
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        # Threads that read or wait for their turn.
        self._idle = 1
        self._loop = None
        # How a call is answered: in the thread that has read it, or in the event loop.
        self._answer = None

    def take_turns(self):
        while True:
            with self._turn:
                call = self.read()
            self._leave_turn()
            self.run(call)
            with self._counting:
                self._idle += 1

    def _leave_turn(self):
        with self._counting:
            self._idle -= 1
            alone = self._idle == 0
            if alone:
                self._idle += 1
        if alone:
            try:
                threading.Thread(target=self.take_turns, name="hearth-call", daemon=True).start()
            except RuntimeError:
                # No more threads: nobody reads until a call has ended.
                with self._counting:
                    self._idle -= 1

    def read(self):
        """Handles frames until one is a call that this thread is to run."""
        while True:
            call = self._take_frame()
            if call is not None:
                return call

    def _take_frame(self):
        """Handles one frame; the call when it is one to be run."""
        frame = self._wire.read()
        if frame is None:
            # Without its invoker a sandbox has nothing to live for.
            os._exit(0)
        kind, call_number, payload = frame
        call = self.calls.get(call_number)
        kind, end = kind & TYPE_MASK, kind & END != 0
        if kind == INVOKE:
            return self._start(self._accept(call_number, payload, end))
        if kind == BODY and call is not None:
            call.receive_body(payload, end)
        elif kind == WINDOW and call is not None:
            call.receive_window(number(payload))
        elif kind == CANCEL and call is not None:
            call.cancel()
        elif kind == PING:
            self._pong()
        elif kind == LOAD:
            self._load(split_head(payload)[0], end)
        return None

    def _start(self, call):
        """The call when the thread that has read it is to run it."""
        if self._loop is None:
            return call
        self._loop.start(call, self._answer)
        return None

    def run_alone(self, number, payload, whole):
        """In a process that was made for this call. Returns when it may end."""
        self._prepare()
        call = self._start(self._accept(number, payload, whole))
        if call is None:
            self.read()
        else:
            call.pump = self._take_frame
            self.run(call)

    def _pong(self):
        if self._loop is None:
            self._wire.send(PONG)
        else:
            self._loop.soon(self._wire.send, PONG)

    def _accept(self, call_number, payload, whole):
        head, first = split_head(payload)
        call = Call(self._wire, call_number, head, first, whole, lambda ended: self.calls.pop(ended.number, None))
        self.calls[call_number] = call
        return call

    def _load(self, head, ended):
        if self.before_load is not None:
            self.before_load()
        code = Code(self._wire, ended)
        forks = head.get("isolation") == "fork"
        try:
            if not ended:
                try:
                    unpack(code)
                except BaseException:
                    code.drain()
                    raise
            set_environment(head)
            name, target = import_function(head["handler"])
            self._prepare = lambda: self._serve_with(name, target, head)
            if not forks:
                self._prepare()
            result = {"loaded": True}
        except SystemExit as error:
            self._exit(error)
        except BaseException as error:
            result = failed_load(error)
        self.outside.close()
        self._wire.send(LOADED, 0, dump(result))
        if result["loaded"] and head["compiles"]:
            from .compiled import compiled_pack

            for piece, last in compiled_pack():
                self._wire.send(BODY | END if last else BODY, 0, piece)
        if result["loaded"] and forks:
            from .fork import Zygote

            Zygote(self._wire, self).serve()

    def _serve_with(self, name, target, head):
        is_app = name == "app"
        if not (is_app or _is_coroutine(target)):
            self._answer = _synchronous_answer(target, head)
            return
        # Takes 30 ms, which only asynchronous functions pay.
        from .asynchronous import EventLoop, asgi_answer, coroutine_answer, start_lifespan

        loop = EventLoop(self._exit)
        if is_app or _parameters(target) == 3:
            self._answer = asgi_answer(target, loop.wait(start_lifespan(target, loop.tasks)))
        else:
            self._answer = coroutine_answer(target, head)
        self._loop = loop

    def run(self, call):
        current_call.set(call)
        try:
            self._answer(call)
        except SystemExit as error:
            self._exit(error)
        except BaseException as error:
            call.fail(error)
        finally:
            current_call.set(None)

    def _exit(self, error):
        """As the interpreter would, but from any thread."""
        code = error.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
        for call in list(self.calls.values()):
            call.lines.close()
        self.outside.close()
        os._exit((code or 0) & 0xFF)


def _synchronous_answer(handler, load_head):
    def answer(call):
        answered = read_answer(handler(event_of(call.read_body()), Context(call, load_head)))
        if not answered.streams:
            call.respond(answered.status, answered.headers, answered.body)
            return
        call.start(answered.status, answered.headers)
        with closing(answered.body):
            for piece in answered.body:
                call.send(bytes_of(piece))
        call.complete()
        call.end()

    return answer


def _is_coroutine(target):
    codes = (getattr(function, "__code__", None) for function in (target, _call_method(target)))
    return any(code is not None and code.co_flags & _CO_COROUTINE for code in codes)


def _call_method(target):
    return getattr(type(target), "__call__", None)


def _parameters(target):
    """How many values a callable takes, itself not counted: three is an ASGI application."""
    code = getattr(target, "__code__", None)
    if code is not None:
        return code.co_argcount - (1 if hasattr(target, "__self__") else 0)
    code = getattr(_call_method(target), "__code__", None)
    return None if code is None else code.co_argcount - 1
