"""Frames over the socket to the invoker: core/frames.ts has the format."""

import json
import struct
from threading import Lock

READY, LOAD, LOADED, INVOKE, BODY, HEAD, FAILURE, LOG, CANCEL, WINDOW, PING, PONG, DONE = range(1, 14)
# Type and flags are neighbours in a frame: here one number, as in `BODY | END`.
END, DONE_FLAG, CANCELLED = 0x100, 0x200, 0x400
TYPE_MASK = 0xFF

PROTOCOL = 1
INLINE_BYTES = 65_536
WINDOW_BYTES = 1_048_576
CHUNK_BYTES = 65_536

HEADER = struct.Struct("<IHHI")
_LENGTH = struct.Struct("<I")
# Longer payloads are not copied behind their header.
_COPY_BYTES = 65_536


class Wire:
    def __init__(self, connection):
        self.connect(connection)

    def connect(self, connection):
        """From here on it speaks over this one; not while another thread uses it."""
        self.connection = connection
        self._reader = connection.makefile("rb", 65_536)
        self._sending = Lock()

    def take_buffered(self):
        """What has been read from the connection but is in no frame yet, for whoever reads on from it directly."""
        self.connection.setblocking(False)
        data = self._reader.peek()
        self.connection.setblocking(True)
        return data

    def read(self):
        """The next frame as (kind, call, payload), or None when the invoker is gone. One thread at a time."""
        header = self._reader.read(HEADER.size)
        if len(header) < HEADER.size:
            return None
        length, kind, _channel, call = HEADER.unpack(header)
        size = length + 4 - HEADER.size
        payload = self._reader.read(size)
        return (kind, call, payload) if len(payload) == size else None

    def send(self, kind, call=0, body=b"", head=None):
        """Any thread. `head`: what goes in front of the body as JSON with its length."""
        front = b""
        if head is not None:
            text = dump(head)
            front = _LENGTH.pack(len(text)) + text
        header = HEADER.pack(HEADER.size - 4 + len(front) + len(body), kind, 0, call) + front
        with self._sending:
            if len(body) <= _COPY_BYTES:
                self.connection.sendall(header + body)
            else:
                self.connection.sendall(header)
                self.connection.sendall(body)

    def send_raw(self, frames):
        """Whole frames as they are."""
        with self._sending:
            self.connection.sendall(frames)

    def grant(self, call, size):
        self.send(WINDOW, call, _LENGTH.pack(size))


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def split_head(payload):
    """The JSON and the bytes of a payload that has both."""
    (size,) = _LENGTH.unpack_from(payload)
    return json.loads(payload[4 : 4 + size]), payload[4 + size :]


def number(payload):
    return _LENGTH.unpack_from(payload)[0]
