"""Which process a network is built in: NEST has one kernel a process."""

from __future__ import annotations

import weakref

from portable.backends.contract import Session
from portable.backends.nest.execute import NestSession
from portable.backends.nest.kernel import simulator
from portable.backends.nest.plan import Plan
from portable.backends.nest.remote import RemoteSession

_open: weakref.ref[NestSession] | None = None


def open_session(plan: Plan) -> Session:
    """Build the network: here, or in a process of its own where this one's kernel still holds an open
    session.
    """
    global _open
    nest = simulator()
    before = _open() if _open is not None else None
    if before is not None and not before.over:
        return RemoteSession(plan)
    session = NestSession(nest, plan)
    _open = weakref.ref(session)
    return session
