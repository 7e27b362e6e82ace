"""Gives everything that is written to sys.stdout and sys.stderr to the call that wrote it, as log frames."""

import io
import struct
import sys
import time
from contextvars import ContextVar

from .wire import LOG

STDOUT, STDERR = 1, 2
# Longer texts are cut into several lines.
_LINE_CHARACTERS = 65_536
_HEAD = struct.Struct("<dB")

# Which call the running code belongs to.
current_call = ContextVar("current_call", default=None)


class Lines:
    """What one call, or the process outside of calls, has written without a line end yet."""

    def __init__(self, wire, call):
        self._wire = wire
        self._call = call
        self._open = {STDOUT: "", STDERR: ""}

    def write(self, stream, text):
        *lines, rest = (self._open[stream] + text).split("\n")
        self._open[stream] = rest
        for line in lines:
            self._line(stream, line)
        if len(rest) > _LINE_CHARACTERS:
            self.close()

    def close(self):
        """Sends what has no line end."""
        for stream, text in self._open.items():
            self._open[stream] = ""
            if text:
                self._line(stream, text)

    def _line(self, stream, text):
        head = _HEAD.pack(int(time.time() * 1000), stream)
        for offset in range(0, max(1, len(text)), _LINE_CHARACTERS):
            piece = text[offset : offset + _LINE_CHARACTERS]
            self._wire.send(LOG, self._call, head + piece.encode("utf-8", "replace"))


class _Captured(io.TextIOBase):
    encoding = "utf-8"
    errors = "replace"

    def __init__(self, stream, lines):
        self._stream = stream
        self._lines = lines
        self.buffer = _CapturedBytes(self)

    def writable(self):
        return True

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() takes str: received {type(text).__name__}")
        self._lines().write(self._stream, text)
        return len(text)


class _CapturedBytes(io.RawIOBase):
    """What `sys.stdout.buffer` is for: bytes, here taken for UTF-8."""

    def __init__(self, text):
        self._text = text

    def writable(self):
        return True

    def write(self, data):
        data = bytes(data)
        self._text.write(data.decode("utf-8", "replace"))
        return len(data)


def capture_output(outside, running):
    """Puts our streams in the place of the interpreter's. `outside` takes what is written outside of a call; `running`:
    the calls under way, by number."""

    def lines():
        call = current_call.get()
        if call is None and len(running) == 1:
            # A thread that a call has started does not have its context, but whose could it be else?
            call = next(iter(running.copy().values()), None)
        return outside if call is None else call.lines

    sys.stdout = sys.__stdout__ = _Captured(STDOUT, lines)
    sys.stderr = sys.__stderr__ = _Captured(STDERR, lines)
