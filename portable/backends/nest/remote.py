"""A session in a process of its own, for when this process's NEST kernel already holds another network.

The child runs this module (see process.py); both sides speak pickles with a length in front, over
its stdin and stdout. Only this module's two ends ever talk to each other; nothing from a model file is
unpickled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from portable import process
from portable.backends.contract import Facts, HeldConnections, Recorded
from portable.backends.interrupts import held_interrupt, in_pieces
from portable.backends.nest.plan import Plan
from portable.errors import BackendFailed, ModelError
from portable.messages import receive, send
from portable.units import Floats


class RemoteSession:
    """contract.Session by proxy. Every reply says which step the child has reached, and long runs are handed
    over in pieces, so that Ctrl-C is seen between two of them and both sides know where they are."""

    def __init__(self, plan: Plan) -> None:
        self.now = 0
        self.child = subprocess.Popen(
            process.command("portable.backends.nest.remote"),
            env=process.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C on a terminal is the parent's
        )
        try:
            self._ask("open", plan)
        except BaseException:
            self.close()
            raise

    def _call(self, what: str, *arguments: Any) -> Any:
        """Ask, and raise Ctrl-C only when the answer is here: half of one would be taken for the next."""
        with held_interrupt() as asked:
            value = self._ask(what, *arguments)
        if asked:
            raise KeyboardInterrupt
        return value

    def _ask(self, what: str, *arguments: Any) -> Any:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        if self.child.poll() is not None:
            raise BackendFailed("the session is closed")
        try:
            send(self.child.stdin, (what, arguments))
            kind, value, self.now = receive(self.child.stdout)
        except (EOFError, BrokenPipeError) as error:
            raise BackendFailed(
                f"NEST's process ended (exit code {self.child.wait()}) at '{what}'"
            ) from error
        if kind == "ok":
            return value
        raise ModelError("", value) if kind == "ModelError" else BackendFailed(value)

    def run(self, steps: int) -> None:
        """Advance by whole steps. Ctrl-C is seen between two pieces, each of which the child takes whole."""
        in_pieces(lambda piece: self._ask("advance", piece), steps)

    def set(self, group: str, values: Mapping[str, float | Floats]) -> None:
        """Change parameters from now on."""
        self._call("set", group, dict(values))

    def recorded(self) -> Recorded:
        """Everything recorded since the start."""
        found: Recorded = self._call("recorded")
        return found

    def facts(self) -> Facts:
        """What the child says."""
        found: Facts = self._call("facts")
        return found

    def connections(self) -> Iterator[HeldConnections]:
        """What NEST says that it holds."""
        found: list[HeldConnections] = self._call("connections")
        yield from found

    def synapses(self, name: str, variable: str) -> Floats:
        """A state of every connection that learns."""
        found: Floats = self._call("synapses", name, variable)
        return found

    def set_synapses(self, name: str, values: Mapping[str, float | Floats]) -> None:
        """Set states of connections that learn."""
        self._call("set_synapses", name, dict(values))

    def plastic(self, name: str, on: bool) -> None:
        """Whether weights change from now on."""
        self._call("plastic", name, on)

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            if self.child.stdin is not None:
                self.child.stdin.close()
        try:
            self.child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        if self.child.stdout is not None:
            self.child.stdout.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            if self.child.poll() is None:
                self.child.kill()


def _serve() -> None:
    """The child: answer until the parent closes the pipe. Ctrl-C is the parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever NEST prints must not get between the answers
    from portable.backends.nest.execute import NestSession
    from portable.backends.nest.kernel import simulator

    session: Any = None
    while True:
        try:
            what, arguments = receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            if what == "open":
                session = NestSession(simulator(), *arguments)
                reply: tuple[str, Any] = ("ok", None)
            else:
                value = getattr(session, what)(*arguments)
                reply = ("ok", list(value) if what == "connections" else value)  # a generator cannot be sent
        except Exception as error:
            reply = (type(error).__name__, str(error))
        send(answers, (*reply, 0 if session is None else session.now))


if __name__ == "__main__":
    _serve()
