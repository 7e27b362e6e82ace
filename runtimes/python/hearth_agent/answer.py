"""handler(event, context): what it is given, and what becomes of its answer."""

import json
import time

_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"
_BYTES = "application/octet-stream"


def event_of(body):
    """The body as JSON when it is JSON, None when it is empty, else as text."""
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


class Context:
    def __init__(self, call, load_head):
        self._call = call
        self.invocation_id = call.head["id"]
        self.function_name = load_head["function"]
        self.function_version = str(load_head["version"])
        self.attempt = call.head["attempt"]
        # ms since the epoch
        self.deadline = call.head["deadline"]

    @property
    def cancelled(self):
        """Whether the caller has gone away or the time is up: a handler that works on may look."""
        return self._call.cancelled

    def get_remaining_time_in_millis(self):
        return max(0, int(self.deadline - time.time() * 1000))


class Answer:
    """`body` is bytes, or an iterator of bytes or text."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def streams(self):
        return not isinstance(self.body, (bytes, bytearray))


def read_answer(value):
    if value is None:
        return Answer(204, [], b"")
    if isinstance(value, dict) and isinstance(value.get("statusCode"), int):
        return _read_status_answer(value)
    content_type, body = _body_of(value)
    return Answer(200, [["content-type", content_type]], body)


def _read_status_answer(value):
    """The answer of API Gateway: statusCode, headers, multiValueHeaders, cookies, body, isBase64Encoded."""
    headers = []
    for name, given in {**(value.get("headers") or {}), **(value.get("multiValueHeaders") or {})}.items():
        for item in given if isinstance(given, (list, tuple)) else (given,):
            headers.append([str(name).lower(), str(item)])
    for cookie in value.get("cookies") or ():
        headers.append(["set-cookie", str(cookie)])
    body = value.get("body")
    if body is None or (isinstance(body, (str, bytes)) and len(body) == 0):
        return Answer(value["statusCode"], headers, b"")
    if value.get("isBase64Encoded"):
        import base64

        content_type, body = _BYTES, base64.b64decode(body)
    else:
        content_type, body = _body_of(body)
    if not any(name == "content-type" for name, _ in headers):
        headers.append(["content-type", content_type])
    return Answer(value["statusCode"], headers, body)


def _body_of(value):
    if isinstance(value, str):
        return _TEXT, value.encode("utf-8", "surrogatepass")
    if isinstance(value, (bytes, bytearray)):
        return _BYTES, value
    if isinstance(value, memoryview):
        return _BYTES, bytes(value)
    if hasattr(value, "__next__"):
        return _BYTES, value
    return _JSON, json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def bytes_of(piece):
    """What a generator gave."""
    if isinstance(piece, str):
        return piece.encode("utf-8", "surrogatepass")
    if isinstance(piece, (bytes, bytearray, memoryview)):
        return piece
    raise TypeError(f"a generator gives bytes or str: received {type(piece).__name__}")


class closing:
    """Ends a generator when nobody wants more of it, so that how it winds down is a part of the call. Not contextlib's:
    other iterators have no close()."""

    def __init__(self, iterator):
        self._iterator = iterator

    def __enter__(self):
        return self._iterator

    def __exit__(self, *_error):
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()
