"""What decides the code of connections that learn: their rule and where its numbers are."""

from __future__ import annotations

from dataclasses import dataclass

from portable.dynamics.emit import emit
from portable.dynamics.expressions import Expr, names
from portable.dynamics.steps import DIALECT, local
from portable.dynamics.synapse import Rule


def text(expr: Expr) -> str:
    """An expression as source; quantities of our own (*elapsed) have local names, too."""
    return emit(expr, DIALECT.but(name=local))


@dataclass(frozen=True)
class Form:
    """What decides the code: the rule, with traces that differ between connections as the connections' own;
    parameters that differ; whether targets are 16-bit numbers.
    """

    rule: Rule
    varying: tuple[str, ...]
    short: bool

    @property
    def scalars(self) -> tuple[str, ...]:
        """Parameters that all connections share."""
        return tuple(p.name for p in self.rule.parameters if p.name not in self.varying)

    @property
    def own(self) -> tuple[str, ...]:
        return tuple(s.name for s in self.rule.own)

    @property
    def pre(self) -> tuple[str, ...]:
        return tuple(s.name for s in self.rule.pre)

    @property
    def post(self) -> tuple[str, ...]:
        return tuple(s.name for s in self.rule.post)

    @property
    def signal(self) -> tuple[str, ...]:
        return tuple(s.name for s in self.rule.signal)

    @property
    def dated(self) -> bool:
        """Whether something of a connection moves between its events."""
        return bool(self.aged or self.signal or self.rule.drift)

    @property
    def heard(self) -> int:
        """Numbers of an entry of the third factor's history: the instant, spikes, its states after them."""
        return 2 + len(self.signal)

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of what is written."""
        flush = ("flush",) if self.answers or self.signal else ()
        return ("deliver", *(("note",) if self.answers else ()), *flush, *(("hear",) if self.signal else ()))

    @property
    def aged(self) -> tuple[str, ...]:
        """States of connections that decay."""
        return tuple(s for s in self.own if s in self.rule.decay)

    @property
    def before(self) -> tuple[str, ...]:
        """Traces of the target whose value before its spikes is read: by what its spikes do."""
        read = self.rule.reads("on_post")  # its own jumps are done when an entry is made
        for a in self.rule.after_post:
            read |= names(a.expr) if a.variable in self.own else frozenset()
        return tuple(s for s in self.post if s in read)

    @property
    def after(self) -> tuple[str, ...]:
        """All traces of the target, as they are after a spike."""
        return self.post

    @property
    def width(self) -> int:
        """Numbers of an entry of a history: its step, and the traces before and after it."""
        return 1 + len(self.before) + len(self.after)

    @property
    def answers(self) -> bool:
        """Whether spikes of the target matter."""
        return bool(self.rule.on_post or self.rule.after_post)

    @property
    def tabled(self) -> tuple[str, ...]:
        """Decays that are read from a table: the same for all connections."""
        return tuple(s for s, d in self.rule.decay.items() if not names(d.rate) & set(self.varying))
