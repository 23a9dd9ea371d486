"""Connections that learn: the generated model of a rule, and the values of its parameters and states."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping

import numpy as np

from portable.backends.nest import synapse_text
from portable.backends.nest.plan import Learned, Nestml
from portable.backends.nest.text import FUNCTIONS
from portable.backends.nest.values import split
from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import Call, walk
from portable.dynamics.synapse import HANDLERS, SENT, Rule
from portable.resolve.program import Connections, Plasticity


@functools.lru_cache(maxsize=256)
def model(rule: Rule) -> tuple[Nestml, Mapping[str, float]]:
    """The generated model of a rule and the numbers that its parameters n_ hold. Its text depends neither on
    dt nor on any value, nor on which parameters differ between connections.
    """
    body, numbers = synapse_text.write(rule, "NAME")
    digest = hashlib.sha256(body.encode()).hexdigest()[:16]
    name = f"portable_{digest}_synapse"
    return Nestml(name, digest, body.replace("model NAME:", f"model {name}:")), dict(numbers)


def learned(c: Connections, how: Plasticity, factor: float, dt: float, exchange: int) -> Learned:
    """What NEST is told of connections that learn. factor: what a weight of 1 is at their receptor."""
    rule = how.rule
    text, numbers = model(rule)
    values = {
        **{f"p_{n}": v for n, v in how.parameters.items()},
        **{f"x_{n}": v for n, v in how.start().items()},
        **numbers,
        "step_h": dt,
        "factor": factor,
    }
    scalars, arrays = split({n: np.asarray(v, dtype=np.float64) for n, v in values.items()}, c.count)
    axonal = c.axonal()
    return Learned(text, scalars, arrays, axonal if np.any(axonal) else None, exchange)


def problem(rule: Rule) -> str:
    """Why NESTML cannot say a rule; "" if it can."""
    exprs = [a.expr for h in HANDLERS for a in rule.handler(h)] + [rule.sends]
    exprs += [e for d in rule.decay.values() for e in (d.rate, d.rest) if e is not None]
    called = {x.fn for e in exprs for x in walk(e) if isinstance(x, Call)}
    if unknown := sorted(called - FUNCTIONS.keys()):
        return f"its rule '{rule.name}' calls {unknown[0]}(), which NESTML does not have"
    return ""


def sent(c: Connections) -> tuple[float, float]:
    """The least and the largest that connections can send, as far as the program says."""
    low, high = float(np.min(c.weights)), float(np.max(c.weights))
    if c.learning is None:
        return low, high
    rule = c.learning.rule
    if rule.sends != SENT:
        return -np.inf, np.inf
    ends = [
        side if b is None else evaluate(b, dict(c.learning.parameters))
        for b, side in zip(rule.bounds, (-np.inf, np.inf), strict=True)
    ]
    return min(low, *(float(np.min(e)) for e in ends)), max(high, *(float(np.max(e)) for e in ends))
