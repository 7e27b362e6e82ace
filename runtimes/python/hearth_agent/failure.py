"""What the user's code raised, as FunctionFailure (core/outcome.ts) and Diagnostic (core/build.ts)."""

from .wire import dump

CODE_DIR = "/fn"


def failure_of(error):
    return dump(_failure(error))


def failed_load(error):
    """A failed load as LoadResult (invoker/sandbox/driver.ts), with the place in the user's code when it is known."""
    failure = _failure(error)
    message = f"{failure['type']}: {error.msg if isinstance(error, SyntaxError) else failure['message']}"
    return {"loaded": False, "failure": failure, "diagnostic": {"message": message, **_place(error)}}


def _failure(error):
    try:
        message = str(error)
    except Exception:
        message = "a message that cannot be shown"
    return {"type": type(error).__name__, "message": message, "stack": stack_of(error)}


def stack_of(error):
    # Imported only when something fails: it takes 5 ms.
    import traceback

    return "".join(traceback.format_exception(type(error), error, _users_part(error.__traceback__)))


def _users_part(trace):
    """Without our own frames in front."""
    first = trace
    while first is not None and not first.tb_frame.f_code.co_filename.startswith(CODE_DIR):
        first = first.tb_next
    return trace if first is None else first


def _place(error):
    if isinstance(error, SyntaxError) and error.filename:
        return _located(error.filename, error.lineno, error.offset, error.text)
    place = {}
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.startswith(CODE_DIR + "/"):
            place = _located(name, trace.tb_lineno, None, None)
        trace = trace.tb_next
    return place


def _located(name, line, column, text):
    place = {"file": name[len(CODE_DIR) + 1 :] if name.startswith(CODE_DIR + "/") else name}
    if text is None and line is not None:
        try:
            with open(name, encoding="utf-8", errors="replace") as source:
                text = source.read().split("\n")[line - 1]
        except (OSError, IndexError):
            pass
    if line is not None:
        place["line"] = line
    if column is not None:
        place["column"] = column
    if text:
        place["excerpt"] = text.rstrip("\n")[:500]
    return place
