"""`random(x)` of LEMS: a number drawn uniformly from [0, x), in assignments and initial values only.

Where a network is resolved, the calls of each cell class are numbered: the third one becomes `x*random_2_`,
and whoever executes the assignment gives that name its number in [0, 1), a function of (network seed,
population, cell, step, arrival within the step, 2) alone (resolve.random.draw). So the same numbers come
whatever the backend, the number of threads and the pieces of the run. (A condition that rkf45 tests after
each of its substeps draws the same numbers where it holds twice in one step.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count

from portable.dynamics.component import Assign, ComponentType
from portable.dynamics.expressions import Bin, Call, Expr, Name, names, transform, walk
from portable.dynamics.flat import Flat
from portable.errors import ModelError

DRAWN = re.compile(r"random_(\d+)_\Z")  # users' names cannot end in _


def number_of(name: str) -> int | None:
    """The number of the call that a name of `numbered` expressions stands for; None for other names."""
    found = DRAWN.match(name)
    return int(found[1]) if found else None


def draws(exprs: Iterable[Expr]) -> list[tuple[int, str]]:
    """(number, name) of the draws that numbered expressions read, in order."""
    found = {n for e in exprs for n in names(e)}
    return sorted((int(m[1]), m[0]) for m in map(DRAWN.match, found) if m)


def has_random(expr: Expr) -> bool:
    """Whether random() is called."""
    return any(isinstance(e, Call) and e.fn == "random" for e in walk(expr))


def check_places(model: ComponentType | Flat) -> None:
    """ModelError if random() stands where a value has to be the same however often it is looked at."""
    places: list[tuple[str, Expr]] = [(f"equations: d{s}/dt", e) for s, e in model.derivatives.items()]
    places += [
        (f"equations: {d.name}", d.expr)
        for d in (*model.derived, *(model.constants if isinstance(model, Flat) else ()))
    ]
    places += [("conditions", c.test) for c in model.conditions]
    places += [("refractory", model.refractory.duration)] if model.refractory else []
    places += (
        [(f"exposes['{n}']", e) for n, e in model.exposes.items()] if isinstance(model, ComponentType) else []
    )
    for path, expr in places:
        if has_random(expr):
            raise ModelError(
                path,
                "random() cannot stand here",
                "draw in an assignment (reset, conditions, events) or an initial value, and keep it in a "
                "state variable",
            )


def numbered(flat: Flat) -> Flat:
    """The same with every call of random() numbered: conditions first, then ports, then initial values.
    Itself if there is none.
    """
    if not any(map(has_random, _places(flat))):
        return flat
    check_places(flat)
    number = count()

    def new(expr: Expr) -> Expr:
        return transform(
            expr,
            lambda e: (
                Bin("*", e.args[0], Name(f"random_{next(number)}_"))
                if isinstance(e, Call) and e.fn == "random"
                else e
            ),
        )

    def all_of(assignments: tuple[Assign, ...]) -> tuple[Assign, ...]:
        return tuple(Assign(a.variable, new(a.expr)) for a in assignments)

    conditions = tuple(replace(c, assignments=all_of(c.assignments)) for c in flat.conditions)
    ports = tuple(replace(p, assignments=all_of(p.assignments)) for p in flat.ports)
    return replace(
        flat,
        conditions=conditions,
        ports=ports,
        states=tuple(replace(s, initial=new(s.initial)) for s in flat.states),
    )


def unnumbered(flat: Flat) -> Flat:
    """The inverse of `numbered`, for whoever writes the equations down."""

    def old(e: Expr) -> Expr:
        return (
            Call("random", (e.a,))
            if isinstance(e, Bin) and isinstance(e.b, Name) and DRAWN.match(e.b.id)
            else e
        )

    def all_of(assignments: tuple[Assign, ...]) -> tuple[Assign, ...]:
        return tuple(Assign(a.variable, transform(a.expr, old)) for a in assignments)

    conditions = tuple(replace(c, assignments=all_of(c.assignments)) for c in flat.conditions)
    ports = tuple(replace(p, assignments=all_of(p.assignments)) for p in flat.ports)
    return replace(
        flat,
        conditions=conditions,
        ports=ports,
        states=tuple(replace(s, initial=transform(s.initial, old)) for s in flat.states),
    )


def _places(flat: Flat) -> Iterator[Expr]:
    yield from (s.initial for s in flat.states)
    yield from flat.derivatives.values()
    yield from (d.expr for d in (*flat.constants, *flat.derived))
    for c in flat.conditions:
        yield from (c.test, *(a.expr for a in c.assignments))
    yield from (a.expr for p in flat.ports for a in p.assignments)
    if flat.refractory:
        yield flat.refractory.duration
