"""While no code has come: runs small functions through another Server, so that all modules and code paths of the first
real load and call are loaded and warm. Leaves nothing that a function could find."""

import importlib
import os
import struct
import sys
import threading

from .failure import CODE_DIR
from .wire import BODY, END, INVOKE, LOAD, dump

# A sandbox that is made for a call gets its code at once.
_IDLE_SECONDS = 0.02
_ROUNDS = 3
_SOURCE = b"""import sys

def handler(event, context):
    print("a line", context.function_name)
    print("a line", file=sys.stderr)
    return {"event": event, "left": context.get_remaining_time_in_millis()}
"""
_LENGTH = struct.Struct("<I")


class Rehearsal:
    def __init__(self, make_server):
        self._make_server = make_server
        self._stopped = threading.Event()
        # With a name, so that the threads of the function count from one.
        self._thread = threading.Thread(target=self._run, name="hearth-rehearsal", daemon=True)

    def start_when_idle(self):
        self._thread.start()

    def stop(self):
        """Returns when it is over, which is soon."""
        self._stopped.set()
        self._thread.join()

    def _run(self):
        if self._stopped.wait(_IDLE_SECONDS):
            return
        path, argv = list(sys.path), sys.argv
        for attempt in range(_ROUNDS):
            self._perform(f"_hearth_rehearsal_{attempt}")
            sys.path[:], sys.argv = path, argv
            if self._stopped.is_set():
                return
        from . import asynchronous  # noqa: F401

    def _perform(self, name):
        file = f"{name}.py"
        server = self._make_server(_Stage(file, name))
        try:
            server.run(server.read())
        finally:
            _forget(name, f"{CODE_DIR}/{file}")


class _Stage:
    """A Wire whose peer follows a script."""

    def __init__(self, file, name):
        numbers = (_LENGTH.pack(1), _LENGTH.pack(len(file)), file.encode(), _LENGTH.pack(len(_SOURCE)), _SOURCE)
        load = {"function": "", "version": 0, "handler": f"{name}.handler", "env": {}, "compiles": False}
        call = {"id": "", "method": "POST", "target": "/", "origin": "", "headers": [], "attempt": 1, "deadline": 0}
        self._frames = [
            (INVOKE | END, 1, _with_head(call) + b'{"a":1}'),
            (BODY | END, 0, b"".join(numbers)),
            (LOAD, 0, _with_head(load)),
        ]

    def read(self):
        return self._frames.pop()

    def send(self, kind, call=0, body=b"", head=None):
        if head is not None:
            dump(head)


def _with_head(head):
    text = dump(head)
    return _LENGTH.pack(len(text)) + text


def _forget(name, path):
    sys.modules.pop(name, None)
    try:
        os.unlink(path)
    except OSError:
        pass
    # A finder remembers what was in its folder, and looks again only when the folder is seconds older.
    sys.path_importer_cache.pop(CODE_DIR, None)
    importlib.invalidate_caches()
