"""isolation "fork": the process that has loaded the code runs no calls, it forks for each one. The child answers as a
Server does, over a socket of its own; this process only passes frames on, so it always answers, and a child that is
killed leaves nothing half-said. Separates the memory of calls, by accident or bug; not a boundary against hostile code,
for all processes have one user, one /tmp and one limit of memory."""

import gc
import os
import selectors
import signal
import socket

from .wire import (
    BODY,
    CANCEL,
    CANCELLED,
    DONE,
    DONE_FLAG,
    FAILURE,
    END,
    HEADER,
    INVOKE,
    LOG,
    PING,
    PONG,
    TYPE_MASK,
    WINDOW,
    dump,
)

_READ_BYTES = 262_144
# Which process the kernel takes when the memory is full: that of a call, never the one that makes them.
_OOM_SCORE = "1000"
_OOM_KILLS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


class Zygote:
    """Has one thread, so that nothing is half-done at a fork; those that the user's top-level code has started are not in
    the processes of the calls."""

    def __init__(self, wire, server):
        self._wire = wire
        self._connection = wire.connection
        self._server = server
        self._selector = selectors.DefaultSelector()
        self._children = {}
        self._oom_kills = _count_oom_kills()
        self._rest = wire.take_buffered()
        # What exists now is shared by all calls: the collector must not touch it, which would copy it.
        gc.collect()
        gc.freeze()

    def serve(self):
        """Never returns."""
        self._selector.register(self._connection, selectors.EVENT_READ, None)
        self._receive(b"")
        while True:
            for key, events in self._selector.select():
                child = key.data
                if child is None:
                    self._receive(self._read())
                elif self._children.get(child.number) is not child:
                    # It ended a moment ago.
                    continue
                elif events & selectors.EVENT_WRITE:
                    child.flush()
                else:
                    self._relay(child)

    def _read(self):
        data = self._connection.recv(_READ_BYTES)
        if data:
            return data
        # Without its invoker a sandbox has nothing to live for.
        for child in self._children.values():
            child.kill()
        os._exit(0)

    def _receive(self, data):
        frames, self._rest = _cut(self._rest + data)
        for frame, kind, number in frames:
            child = self._children.get(number)
            if kind & TYPE_MASK == PING:
                self._wire.send(PONG)
            elif kind & TYPE_MASK == INVOKE:
                self._fork(number, frame[HEADER.size :], kind & END != 0)
            elif child is None:
                continue
            elif kind & TYPE_MASK == CANCEL:
                child.cancelled = True
                child.kill()
            elif kind & TYPE_MASK in (BODY, WINDOW):
                child.send(frame)

    def _fork(self, number, payload, whole):
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        try:
            pid = os.fork()
        except OSError as error:
            ours.close()
            theirs.close()
            failure = {"type": "OSError", "message": f"no process could be made for the call: {error}"}
            self._wire.send(FAILURE | DONE_FLAG, number, dump(failure))
            return
        if pid == 0:
            self._be_child(ours, theirs, number, payload, whole)
        theirs.close()
        self._children[number] = _Child(self._selector, ours, pid, number)

    def _be_child(self, ours, theirs, number, payload, whole):
        code = 1
        try:
            os.setsid()
            _offer_to_oom_killer()
            # A call must not speak for others, nor read what is meant for them.
            self._selector.close()
            self._connection.close()
            for connection in (ours, *(child.connection for child in self._children.values())):
                connection.close()
            self._wire.connect(theirs)
            self._server.run_alone(number, payload, whole)
            code = 0
        finally:
            os._exit(code)

    def _relay(self, child):
        frames, over = child.receive()
        if frames:
            self._wire.send_raw(frames)
        if child.done:
            self._reap(child)
        elif over:
            self._bury(child)

    def _bury(self, child):
        """It has ended without saying so."""
        status = self._reap(child)
        if child.cancelled:
            self._wire.send(DONE | DONE_FLAG | CANCELLED, child.number)
        else:
            self._wire.send(DONE | DONE_FLAG, child.number, dump(self._end_of(status)))

    def _reap(self, child):
        del self._children[child.number]
        child.close()
        # The processes that it has started as well.
        child.kill()
        if child.status is None:
            child.status = os.waitpid(child.pid, 0)[1]
        self._reap_orphans()
        return child.status

    def _reap_orphans(self):
        """What the processes of calls have left behind has become this one's, dead or not."""
        by_pid = {child.pid: child for child in self._children.values()}
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid in by_pid:
                    by_pid[pid].status = status
        except ChildProcessError:
            pass

    def _end_of(self, status):
        """As CallEnd in core/frames.ts."""
        if not os.WIFSIGNALED(status):
            return {"kind": "exited", "detail": f"exit code {os.WEXITSTATUS(status)}"}
        kills, before = _count_oom_kills(), self._oom_kills
        self._oom_kills = kills
        if os.WTERMSIG(status) == signal.SIGKILL and (kills is None or kills != before):
            return {"kind": "out-of-memory"}
        return {"kind": "exited", "detail": f"signal {os.WTERMSIG(status)}"}


class _Child:
    """What the zygote has of a call's process."""

    def __init__(self, selector, connection, pid, number):
        self.connection = connection
        self.pid = pid
        self.number = number
        self.cancelled = False
        # It has sent the last frame of the call.
        self.done = False
        # Once it has been reaped.
        self.status = None
        self._selector = selector
        self._unsent = bytearray()
        self._rest = b""
        selector.register(connection, selectors.EVENT_READ, self)

    def send(self, frame):
        """It may not read now; what is kept for it is at most its window."""
        self._unsent += frame
        self.flush()

    def flush(self):
        try:
            del self._unsent[: self.connection.send(self._unsent, socket.MSG_DONTWAIT)]
        except BlockingIOError:
            pass
        except OSError:
            # It has ended; reading tells how.
            self._unsent.clear()
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        self._selector.modify(self.connection, events, self)

    def receive(self):
        """Frames to be passed on, and whether it is gone."""
        try:
            data = self.connection.recv(_READ_BYTES)
        except OSError:
            data = b""
        frames, self._rest = _cut(self._rest + data)
        passed = bytearray()
        for frame, kind, number in frames:
            # A call speaks for itself alone, and no more after its end.
            if not self.done and (number == self.number or kind & TYPE_MASK == LOG):
                passed += frame
                self.done = kind & DONE_FLAG != 0
        return passed, not data

    def kill(self):
        """With all of its group. Does nothing to one that is gone."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except OSError:
            # It has no group yet; or it has been reaped, and the number may be another's.
            if self.status is None:
                os.kill(self.pid, signal.SIGKILL)

    def close(self):
        self._selector.unregister(self.connection)
        self.connection.close()


def _cut(data):
    """The whole frames at the beginning, each with its kind and call, and the rest."""
    frames, offset = [], 0
    while len(data) - offset >= HEADER.size:
        length, kind, _channel, number = HEADER.unpack_from(data, offset)
        end = offset + length + 4
        if len(data) < end:
            break
        frames.append((data[offset:end], kind, number))
        offset = end
    return frames, data[offset:]


def _offer_to_oom_killer():
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(_OOM_SCORE)
    except OSError:
        pass


def _count_oom_kills():
    """Of this container, or None when it cannot be known."""
    for path in _OOM_KILLS:
        try:
            with open(path) as file:
                for line in file:
                    name, _, count = line.partition(" ")
                    if name == "oom_kill":
                        return int(count)
        except OSError:
            pass
    return None
