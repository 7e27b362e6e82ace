"""One call: its response goes out within the window, its end is announced once and after its log lines."""

from collections import deque
from threading import Condition

from .failure import failure_of, stack_of
from .output import STDERR, Lines
from .wire import BODY, CANCELLED, CHUNK_BYTES, DONE, DONE_FLAG, END, FAILURE, HEAD, INLINE_BYTES, WINDOW_BYTES


class Cancelled(Exception):
    """The call was cancelled while it waited for its request or its caller."""


class Call:
    """What comes in from the invoker is handed over by the reading thread; the rest belongs to the code of the call."""

    def __init__(self, wire, number, head, first, whole, on_end):
        self.number = number
        self.head = head
        self.lines = Lines(wire, number)
        self.cancelled = False
        # Called in the reading thread when something has come in; for those who must not wait in `wait_for`.
        self.on_change = None
        # Where no other thread reads: takes in one frame.
        self.pump = None
        self._wire = wire
        self._on_end = on_end
        self._changed = Condition()
        self._chunks = deque()
        if first or whole:
            self._chunks.append((first, whole, False))
        self._taken = 0
        self._window = WINDOW_BYTES
        self._responding = False
        self._complete = False
        self._bodiless = head["method"] == "HEAD"

    # From the reading thread

    def receive_body(self, data, end):
        self._chunks.append((data, end, True))
        self._notify()

    def receive_window(self, size):
        with self._changed:
            self._window += size
        self._notify()

    def cancel(self):
        self.cancelled = True
        self._notify()

    def _notify(self):
        with self._changed:
            self._changed.notify_all()
        if self.on_change is not None:
            self.on_change()

    # From the code of the call

    def wait_for(self, attempt, *arguments):
        """Waits until attempt() gives something else than None."""
        result = attempt(*arguments)
        if result is not None:
            return result
        while self.pump is not None:
            self.pump()
            result = attempt(*arguments)
            if result is not None:
                return result
        with self._changed:
            while True:
                result = attempt(*arguments)
                if result is not None:
                    return result
                self._changed.wait()

    def take_body(self):
        """The next bytes of the request, (bytes, whether more come), or None when they are not there yet."""
        if self.cancelled:
            raise Cancelled
        if not self._chunks:
            return None
        data, end, counted = self._chunks.popleft()
        if counted and not end:
            self._taken += len(data)
            if self._taken >= WINDOW_BYTES // 2:
                self._wire.grant(self.number, self._taken)
                self._taken = 0
        return data, not end

    def read_body(self):
        """Waits for all of the request."""
        data, more = self.wait_for(self.take_body)
        if not more:
            return data
        whole = bytearray(data)
        while more:
            data, more = self.wait_for(self.take_body)
            whole += data
        return whole

    def take_window(self, most):
        """How much of the response may be sent now, at most `most` bytes, or None when it has to wait."""
        if self.cancelled:
            raise Cancelled
        with self._changed:
            size = min(self._window, CHUNK_BYTES, most)
            self._window -= size
        return size or None

    def respond(self, status, headers, body):
        """All of the response, and the end of the call."""
        if len(body) <= INLINE_BYTES:
            body = b"" if self._bodiless or status in (204, 304) else body
            self._responding = self._complete = True
            self._end(HEAD | END, body, {"status": status, "headers": headers})
            return
        self.start(status, headers)
        self.send(body)
        self.complete()
        self.end()

    def start(self, status, headers, first=b""):
        """The head of a response that goes on, and at most INLINE_BYTES of its body."""
        if self.cancelled:
            raise Cancelled
        self._bodiless = self._bodiless or status in (204, 304)
        self._responding = True
        self._wire.send(HEAD, self.number, b"" if self._bodiless else first, {"status": status, "headers": headers})

    def send(self, data):
        """Waits until the caller takes more."""
        view = memoryview(data)
        while len(view) > 0 and not self._bodiless:
            size = self.wait_for(self.take_window, len(view))
            self.send_chunk(view[:size])
            view = view[size:]

    def send_chunk(self, data):
        """Of a size that take_window() gave."""
        if not self._bodiless:
            self._wire.send(BODY, self.number, data)

    def complete(self, status=None, headers=None, body=b""):
        """The response is complete, or is only now sent as a whole; the call goes on until `end`."""
        self._complete = True
        if self._responding:
            self._wire.send(BODY | END, self.number)
            return
        self._responding = True
        body = b"" if self._bodiless or status in (204, 304) else body
        self._wire.send(HEAD | END, self.number, body, {"status": status, "headers": headers})

    def fail(self, error):
        """What the user's code raised, and the end of the call."""
        if self._complete:
            self.lines.write(STDERR, stack_of(error))
            self.end()
        else:
            self._end(FAILURE, failure=failure_of(error))

    def end(self):
        self._end(DONE)

    def _end(self, kind, body=b"", head=None, failure=None):
        self.lines.close()
        self._on_end(self)
        if self.cancelled:
            self._wire.send(DONE | DONE_FLAG | CANCELLED, self.number)
        elif failure is not None:
            self._wire.send(kind | DONE_FLAG, self.number, failure)
        else:
            self._wire.send(kind | DONE_FLAG, self.number, body, head)
