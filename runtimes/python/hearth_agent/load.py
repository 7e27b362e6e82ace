"""Takes the code of one function version: writes its files, finds the entry and what it exports."""

import os
import struct
import sys

from .failure import CODE_DIR
from .wire import BODY, END, PING, PONG, TYPE_MASK

# What a function sees of the container's own environment.
_KEPT_ENV = ("PATH", "HOME", "LANG")
_MODULES = ("main", "app", "handler", "index")
_NAMES = ("handler", "app")
_LENGTH = struct.Struct("<I")


class Code:
    """The code as it arrives, read like a file: it is never in memory as a whole."""

    def __init__(self, wire, ended):
        self._wire = wire
        self._ended = ended
        self._rest = b""

    def read(self, most):
        """Some bytes, at most `most`, waiting for them."""
        while not self._rest:
            self._rest = self._next()
        data, self._rest = self._rest[:most], self._rest[most:]
        return data

    def number(self):
        data = b""
        while len(data) < 4:
            data += self.read(4 - len(data))
        return _LENGTH.unpack(data)[0]

    def drain(self):
        while not self._ended:
            self._next()

    def _next(self):
        while not self._ended:
            frame = self._wire.read()
            if frame is None:
                os._exit(0)
            kind, call, payload = frame
            if kind & TYPE_MASK == PING:
                self._wire.send(PONG)
            elif kind & TYPE_MASK == BODY and call == 0:
                self._ended = kind & END != 0
                return payload
        raise EOFError("the code ended too early")


def unpack(code):
    """Writes the files. The format is in core/pack.ts."""
    for _ in range(code.number()):
        name = b""
        left = code.number()
        while left > 0:
            part = code.read(left)
            name += part
            left -= len(part)
        with _create(name.decode()) as file:
            left = code.number()
            while left > 0:
                left -= file.write(code.read(left))
    code.drain()


def _create(name):
    parts = name.split("/")
    if "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"the path of a file must be relative and inside of the function: received {name!r}")
    path = os.path.join(CODE_DIR, *parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o755), "wb", buffering=0)


def set_environment(head):
    for name in list(os.environ):
        if name not in _KEPT_ENV:
            del os.environ[name]
    os.environ.update(head["env"])
    os.environ["HEARTH_FUNCTION"] = head["function"]
    os.environ["HEARTH_VERSION"] = str(head["version"])
    os.chdir(CODE_DIR)
    sys.path.insert(0, CODE_DIR)
    sys.argv = [""]


def import_function(handler):
    """The name and the object of what answers calls."""
    if handler == "":
        module_name = _conventional_module()
        names = _NAMES
    else:
        path, _, name = handler.rpartition(".")
        module_name = path.removesuffix(".py").replace("/", ".")
        names = (name,)
    module = __import__(module_name, fromlist=("",))
    for name in names:
        target = getattr(module, name, None)
        if callable(target):
            return name, target
    public = ", ".join(name for name in vars(module) if not name.startswith("_")) or "nothing"
    raise ImportError(f"{module_name} must define a callable {' or '.join(names)}: it defines {public}")


def _conventional_module():
    for name in _MODULES:
        if os.path.isfile(f"{CODE_DIR}/{name}.py") or os.path.isfile(f"{CODE_DIR}/{name}/__init__.py"):
            return name
    files = [name for name in os.listdir(CODE_DIR) if name.endswith(".py")]
    if len(files) == 1:
        return files[0][: -len(".py")]
    raise ImportError(f"no entry: expected one of {', '.join(name + '.py' for name in _MODULES)}")
