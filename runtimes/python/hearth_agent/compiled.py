"""What Python makes of the function's source files, so that other sandboxes need not: .pyc files beside them, which come
and go with the code. They say nothing of the time of their source, which is not kept; another Python ignores them."""

import importlib.util
import os
import struct
from importlib.machinery import SourceFileLoader

from .failure import CODE_DIR
from .wire import CHUNK_BYTES

_LENGTH = struct.Struct("<I")
# PEP 552: found by the hash of the source, which is not to be checked.
_UNCHECKED_HASH = _LENGTH.pack(1)


def compiled_pack():
    """Pieces of a pack (core/pack.ts), each with whether it is the last."""
    import marshal

    files = []
    for path in _sources():
        with open(path, "rb") as file:
            source = file.read()
        try:
            code = SourceFileLoader("", path).source_to_code(source, path)
        except Exception:
            # Not all that is uploaded is meant to be imported.
            continue
        head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source)
        target = os.path.relpath(importlib.util.cache_from_source(path), CODE_DIR)
        files.append((target.encode(), head + marshal.dumps(code)))
    pack = bytearray(_LENGTH.pack(len(files)))
    for name, data in files:
        pack += _LENGTH.pack(len(name)) + name + _LENGTH.pack(len(data)) + data
    for offset in range(0, len(pack), CHUNK_BYTES):
        yield pack[offset : offset + CHUNK_BYTES], offset + CHUNK_BYTES >= len(pack)


def _sources():
    paths = (os.path.join(folder, name) for folder, _, names in os.walk(CODE_DIR) for name in names)
    return sorted(path for path in paths if path.endswith(".py"))
