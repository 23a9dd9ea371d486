"""Connections that learn, as component types of synapses for jLEMS.

A rule's states, those of its source and target too, belong to each connection's synapse, which carries what
is sent to the cell as any synapse of our own types does (write_attachments). Arriving spikes come a + b after
they were sent, so the synapse's clock runs late by b, the dendritic delay: spikes of its own cell come to it
2 b after their stamps, and what it sends needs no memory. The same numbers come out, b later.

A rule that no spike of its cell moves, and in whose handlers nothing chooses between values, is plain text of
an OnEvent. Others count what arrives and do their handlers in the conditions of the step, in order: on_post,
on_pre with what is sent, after_post, after_pre.

States decay by forward Euler in jLEMS. With timing="steps" the rate in the file is (1 - exp(-rate dt))/dt, so
that a step of Euler at this dt is the exact decay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from portable.dynamics.component import Assign
from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import Bin, Call, Expr, Name, Num, names, transform
from portable.dynamics.random_calls import DRAWN
from portable.dynamics.synapse import WEIGHT, Rule
from portable.errors import ModelError
from portable.resolve.program import Approximation, Connections, PerCell
from portable.schemas.neuroml.write_attachments import Shown
from portable.schemas.neuroml.write_core import distinct
from portable.schemas.neuroml.write_expressions import Writer
from portable.schemas.neuroml.write_units import Units
from portable.units import NONE, RATE, TIME, Dimension, unit

ALWAYS = "1 .gt. 0"
PRE, POST = "in", "spikePost"  # jLEMS takes the port whose name hashes first for that of connections
RESERVED = frozenset({"t", "id", "type", "name", "in", "i", "weight", "unit", "waiting", "arriving"})
GIVEN = "weight * unit"
NAME = "@RULE@"  # stands for the type's name until it is known that no other type has these lines
MOST = 8  # spikes of one source in a step that are told apart


@dataclass(frozen=True)
class Group:
    """Connections of one synapse component: its attributes, and which of the connections (None: all)."""

    attributes: Mapping[str, str]
    chosen: np.ndarray | None


@dataclass(frozen=True)
class Written:
    """The component type of a rule, with NAME for its name, and its components."""

    lines: tuple[str, ...]
    groups: tuple[Group, ...]


def refuse(c: Connections) -> None:
    """ModelError for what LEMS has no words for."""
    assert c.learning is not None
    rule, where = c.learning.rule, f"projection '{c.projection}'"
    for there, what, remedy in (
        (rule.signal or rule.on_signal, "learns by a third factor", "use a rule without signal"),
        (rule.drift, "has weights that move between spikes", "use a rule without dweight/dt"),
        (
            rule.every,
            "does something every so often to the sums of all weights of a cell",
            "use a rule without every",
        ),
    ):
        if there:
            raise ModelError(
                where,
                f"'{rule.name}' {what}, and a synapse of LEMS sees the spikes of its two cells only",
                remedy,
            )


@dataclass(frozen=True)
class RuleOptions:
    """dt in ms; exact: decays as ours at this dt; early: steps off delays; most: components of a rule;
    repeats: most spikes of a source in one step.
    """

    dt: float
    exact: bool
    early: float
    most: int
    repeats: int


def write_rule(c: Connections, shown: Shown, port: str, count: str, units: Units, o: RuleOptions) -> Written:
    """The synapse of a rule onto cells of our own type. port: what shows the weights that arrive; count: what
    shows their number, "" if nothing does.
    """
    text = _Text(c, shown, port, count, units, min(o.repeats, MOST))
    numbers = _numbers(c, text, o)
    rows, part = distinct([v for _, v in numbers.values()], c.count)
    if len(rows) > o.most:
        raise ModelError(
            f"projection '{c.projection}'",
            f"its connections have {len(rows)} different sets of parameters, and in NeuroML each set is a "
            f"synapse of its own, of which at most {o.most} are written",
            f"give all the same parameters{' and delay' * text.post}, or ask for more with split=",
        )
    groups = []
    for k, row in enumerate(rows.tolist()):
        attributes = {"unit": units.number(1.0, text.dimension)}
        attributes |= {n: units.number(x, d) for (n, (d, _)), x in zip(numbers.items(), row, strict=True)}
        if text.post:
            attributes |= {"cellPort": "spike", "postPort": POST}
        groups.append(Group(attributes, None if len(rows) == 1 else np.flatnonzero(part == k)))
    return Written(tuple(text.lines({n: d for n, (d, _) in numbers.items()})), tuple(groups))


def _numbers(c: Connections, text: _Text, o: RuleOptions) -> dict[str, tuple[Dimension, PerCell]]:
    """Of connections in their order: parameters, what states start with, rates and rests of their decays."""
    assert c.learning is not None
    rule, known, starts = c.learning.rule, c.learning.parameters, c.learning.start()
    out = {text.called(p.name): (p.dimension, known[p.name]) for p in rule.parameters if p.name in text.read}
    late = np.asarray(c.learning.dendritic, dtype=np.float64)
    if text.post:
        out[text.late] = (TIME, _one(np.round((2 * late - o.early) * o.dt, 9)))
    before = late if text.ordered else late - 1  # steps by which states decay too much before the first spike
    for s in rule.states:
        d = rule.decay.get(s.name)
        with np.errstate(all="ignore"):
            start: PerCell = starts[s.name]
            if d is not None:
                rate = np.asarray(evaluate(d.rate, known), dtype=np.float64)
                rest = np.asarray(0.0 if d.rest is None else evaluate(d.rest, known), dtype=np.float64)
                away = start - rest
                if np.any(np.abs(away) > 1e-12 * np.abs(rest)):
                    grown = np.exp(rate * o.dt * before)
                    start = rest + np.where(np.isfinite(grown), away * grown, 0.0)
                euler = -np.expm1(-rate * o.dt) / o.dt
                used = euler if o.exact else np.where(rate * o.dt > 1, euler, rate)
                out[text.rates[s.name]] = (RATE, _one(used))
                if d.rest is not None:
                    out[text.rests[s.name]] = (s.dimension, _one(rest))
        out[text.starts[s.name]] = (s.dimension, _one(start))
    return out


def _one(x: object) -> PerCell:
    array = np.asarray(x, dtype=np.float64)
    return float(array) if array.ndim == 0 else array


class _Text:
    """The text of one type. `ordered`: its handlers are conditions; else they are an OnEvent."""

    def __init__(
        self, c: Connections, shown: Shown, port: str, count: str, units: Units, repeats: int
    ) -> None:
        assert c.learning is not None
        self.rule: Rule = c.learning.rule
        self.shown, self.port, self.count, self.units, self.repeats = shown, port, count, units, repeats
        rule = self.rule
        d = self.dimension = unit(rule.weight_unit).dimension
        dims = {p.name: p.dimension for p in rule.parameters} | {s.name: s.dimension for s in rule.states}
        taken = RESERVED | set(shown.names)
        self.w = Writer(units, {**dims, WEIGHT: d}, f"projection '{c.projection}'", set(dims) | taken)
        rename = {n: self.w.fresh(n + "_") for n in dims if n in taken}
        self.moved = any(a.variable == WEIGHT for h in _HANDLERS for a in rule.handler(h))
        rename[WEIGHT] = self.w.fresh("w") if self.moved else f"({GIVEN})"
        self.w.rename = rename
        self.rates, self.rests = (
            {s: self.w.fresh(f"{s}_{what}") for s in rule.decay} for what in ("rate", "rest")
        )
        self.starts = {s.name: self.w.fresh(f"{s.name}_0") for s in rule.states}
        self.post = bool(rule.on_post or rule.after_post)
        self.late = self.w.fresh("postDelay")
        self.helpers: dict[str, Dimension] = {}
        self.conditions: list[str] = []
        self.read: set[str] = set()
        plain = "" if self.post or self.repeats > 1 else self._plain()
        self.ordered = not plain
        if plain:
            self.events = [f'<OnEvent port="{PRE}">{plain}</OnEvent>']
        else:
            self.w.take()
            self._in_order()

    def called(self, name: str) -> str:
        return self.w.rename.get(name, name)

    def _written(self, e: Expr, variable: str = "") -> str:
        whole = transform(e, _draws_again)
        self.read |= names(whole)
        if isinstance(whole, Num) and whole.value == 0.0 and variable:
            return self.w._literal(0.0, self.w.symbols[variable])
        return self.w.number(whole)

    def _sent(self) -> str:
        counted = _set("arriving", "arriving + 1") if self.count else ""
        return _set("waiting", f"waiting + {self._written(self.rule.sends, WEIGHT)}") + counted

    def _plain(self) -> str:
        """All in the order of a single spike; "" if something chooses between values."""
        parts = [
            *(self._assigned(a) for a in self.rule.handler("on_pre")),
            self._sent(),
            *(self._assigned(a) for a in self.rule.handler("after_pre")),
        ]
        return "" if self.w.lines else "".join(parts)

    def _assigned(self, a: Assign) -> str:
        return _set(self.called(a.variable), self._written(a.expr, a.variable))

    def _in_order(self) -> None:
        pre, post = self._helper("pre_seen"), self._helper("post_seen") if self.post else ""
        self.events = [f'<OnEvent port="{PRE}">{_set(pre, f"{pre} + 1")}</OnEvent>']
        if post:
            self.events.append(f'<OnEvent port="{POST}">{_set(post, f"{post} + 1")}</OnEvent>')
            self._handle("on_post", f"{post} .gt. 0.5")
        for k in range(self.repeats):
            test = f"{pre} .gt. {k + 0.5}"
            self._handle("on_pre", test)
            sent = self._sent()
            self._flush()
            self._on(test, sent)
        if post:
            self._handle("after_post", f"{post} .gt. 0.5")
        for k in range(self.repeats):
            self._handle("after_pre", f"{pre} .gt. {k + 0.5}")
        done = _set(pre, "0") + (_set(post, "0") if post else "")
        self._on(ALWAYS, done)

    def _helper(self, stem: str, d: Dimension = NONE) -> str:
        name = self.w.fresh(stem)
        self.helpers[name] = self.w.symbols[name] = d
        return name

    def _on(self, test: str, assignments: str) -> None:
        self.conditions.append(f'<OnCondition test="{test}">{assignments}</OnCondition>')

    def _handle(self, handler: str, test: str) -> None:
        for a in self.rule.handler(handler):
            assigned = self._assigned(a)
            self._flush()
            self._on(test, assigned)

    def _flush(self) -> None:
        """What a value chooses from is set just before it."""
        for line in self.w.take():
            self.helpers[line.name] = line.dimension
            self._on(ALWAYS, _set(line.name, line.default))
            seen = ""
            for test, opposite, value in line.cases:
                self._on(f"{test} .and. {seen}" if seen else test, _set(line.name, value))
                seen = f"{seen} .and. {opposite}" if seen else opposite

    def lines(self, numbers: Mapping[str, Dimension]) -> list[str]:
        """The element. numbers: its parameters besides the unit of weights."""
        u, w, states = self.units, self.w, self.rule.states
        moved = _set(self.port, "waiting") + _set("waiting", "waiting * 0")
        moved += _set(self.count, "arriving") + _set("arriving", "arriving * 0") if self.count else ""
        self._on(ALWAYS, moved)
        decays = [
            f'<TimeDerivative variable="{self.called(s)}" value="{self._decay(s)}"/>' for s in self.rule.decay
        ]
        start = [_set(self.called(s.name), self.starts[s.name]) for s in states]
        start += [_set(self.called(WEIGHT), GIVEN)] if self.moved else []
        held = {
            **self.shown.names,
            "waiting": self.dimension,
            **({"arriving": NONE} if self.count else {}),
            **{self.called(s.name): s.dimension for s in states},
            **({self.called(WEIGHT): self.dimension} if self.moved else {}),
            **self.helpers,
        }
        out = [
            f'<ComponentType name="{NAME}" extends="{self.shown.type}_input" '
            f'description="The rule {self.rule.name} of connections that learn">',
            '  <Property name="weight" dimension="none" defaultValue="1"/>',
        ]
        out += [
            f'  <Parameter name="{n}" dimension="{u.dimension(d)}"/>'
            for n, d in {"unit": self.dimension, **numbers}.items()
        ]
        out += [
            f'  <Constant name="{n}" dimension="{u.dimension(d)}" value="{u.number(v, d)}"/>'
            for (v, d), n in w.constants.items()
        ]
        if self.post:
            out.append(f'  <EventPort name="{POST}" direction="in"/>')
            out.append('  <Text name="cellPort"/><Text name="postPort"/>')
        out.append("  <Dynamics>")
        out += [
            f'    <StateVariable name="{n}" dimension="{u.dimension(d)}"'
            + (f' exposure="{n}"/>' if n in self.shown.names else "/>")
            for n, d in held.items()
        ]
        out += [f"    {line}" for line in decays]
        out += [f"    <OnStart>{''.join(start)}</OnStart>"] if start else []
        out += [f"    {line}" for line in (*self.conditions, *self.events)]
        out.append("  </Dynamics>")
        if self.post:
            out.append(
                '  <Structure><With instance="parent" as="a"/><With instance="this" as="b"/><EventConnection '
                f'from="a" to="b" sourcePort="cellPort" targetPort="postPort" delay="{self.late}"/>'
                "</Structure>"
            )
        return [*out, "</ComponentType>"]

    def _decay(self, s: str) -> str:
        rested = self.rule.decay[s].rest is not None
        rest = self.rests[s] if rested else self.w._literal(0.0, self.w.symbols[s])
        return f"{self.rates[s]} * ({rest} - {self.called(s)})"


_HANDLERS = ("on_post", "on_pre", "after_post", "after_pre")


def _draws_again(e: Expr) -> Expr:
    drawn = isinstance(e, Bin) and isinstance(e.b, Name) and DRAWN.match(e.b.id)
    return Call("random", (e.a,)) if drawn and isinstance(e, Bin) else e


def _set(name: str, value: str) -> str:
    return f'<StateAssignment variable="{name}" value="{value}"/>'


def subset(c: Connections, chosen: np.ndarray | None) -> Connections:
    """Some of the connections, as static ones."""
    if chosen is None:
        return replace(c, learning=None)
    counts = np.bincount(c.sources()[chosen], minlength=c.indptr.size - 1)
    return replace(
        c,
        indptr=np.concatenate([[0], np.cumsum(counts)]),
        targets=c.targets[chosen],
        weights=c.weights if isinstance(c.weights, float) else c.weights[chosen],
        delays=c.delays if isinstance(c.delays, (int, np.integer)) else c.delays[chosen],
        one_to_one=False,
        learning=None,
    )


def rule_notes(c: Connections, o: RuleOptions) -> Iterator[Approximation]:
    """What the synapses of a rule are not."""
    assert c.learning is not None
    rule, where = c.learning.rule, f"projection '{c.projection}'"
    with np.errstate(all="ignore"):
        rates = [np.asarray(evaluate(d.rate, c.learning.parameters)).max() for d in rule.decay.values()]
    slow = [r for r in rates if r * o.dt <= 1]
    if rates and o.exact:
        yield Approximation(
            where,
            "states that decay exactly",
            "forward Euler, at rates that make it exact at this dt",
            f"none at {o.dt:g} ms; of the order of dt at others",
            "jLEMS knows no other method",
        )
    elif slow:
        yield Approximation(
            where,
            "states that decay exactly",
            "forward Euler at dt",
            f"{o.dt * max(slow) / (2 * np.e):.1g} of their distance from rest, between two spikes",
            "jLEMS knows no other method",
        )
    if o.repeats > MOST:
        yield Approximation(
            where,
            f"up to {o.repeats} spikes of a source in one step",
            f"the first {MOST} of them",
            "the others are lost",
            "each is a condition of its own in LEMS",
        )
    if rule.draws():
        yield Approximation(
            where,
            "the random numbers of this seed",
            "random() drawn by the simulator",
            "other draws of the same distribution",
            "LEMS has a stream of its own",
        )
