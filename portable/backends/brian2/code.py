"""Flat form -> Brian2 abstract code of one whole step.

Brian2's own state updaters are not used: the step of semantics (integrate, arrivals, conditions) is written
out, with exact propagators as numbers, so that equal time constants need no special case, nothing waits for
sympy, and the arithmetic is that of the other backends. Every intermediate gets a new name and states are
written last: Brian2's numpy target makes `a = b` an alias, and a later write to b would change a.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from portable.backends.brian2.plan import Code, Stepped, mangled
from portable.backends.brian2.stepped import FIRED, LEFT, stepped
from portable.dynamics.emit import PYTHON, emit
from portable.dynamics.expressions import Bin, Call, Cmp, Expr, Logic, Name, Neg, Num, Where, names
from portable.dynamics.flat import INJECTED, Flat, Port
from portable.dynamics.linear import ONE, Linear, affine, linear, structure
from portable.dynamics.methods import Method, largest
from portable.dynamics.random_calls import draws
from portable.dynamics.steps import SIZE, local

# pt_*: functions.py. Division is one of them: Cython's raises on 0 even in the branch that is not taken.
DIALECT = PYTHON.but(
    functions={
        **PYTHON.functions,
        "H": "pt_heaviside({0})",
        "exprel": "pt_exprel({0})",
        "factorial": "pt_factorial({0})",
        "binomial": "pt_binomial({0}, {1}, {2})",
        "min": "pt_min({0}, {1})",
        "max": "pt_max({0}, {1})",
        "ceil": "pt_ceil({0})",
        "floor": "pt_floor({0})",
        "abs": "pt_abs({0})",
        "divide": "pt_divide({0}, {1})",
    },
    where="pt_where({test}, {a}, {b})",
    power="pt_power({a}, {b})",
)
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*$")


def text(expr: Expr, symbols: Mapping[str, str]) -> str:
    """An expression as abstract code; `symbols` gives every name its mangled one."""
    return emit(_divisions(expr), DIALECT.but(name=lambda n: symbols[n]))


def _divisions(expr: Expr) -> Expr:
    match expr:
        case Num() | Name():
            return expr
        case Bin("/", a, b) if not (isinstance(b, Num) and b.value):
            return Call("divide", (_divisions(a), _divisions(b)))
        case Bin(op, a, b):
            return Bin(op, _divisions(a), _divisions(b))
        case Neg(x):
            return Neg(_divisions(x))
        case Call(fn, args):
            return Call(fn, tuple(_divisions(a) for a in args))
        case Where(test, a, b):
            return Where(_divisions(test), _divisions(a), _divisions(b))
        case Cmp(op, a, b):
            return Cmp(op, _divisions(a), _divisions(b))
        case Logic(op, args):
            return Logic(op, tuple(_divisions(a) for a in args))


def summed(port: Port, flat: Flat) -> dict[str, Expr] | None:
    """{state: expression of `weight`} if arrivals can be summed before they act: multiples of the weight,
    without states.
    """
    jumps = port.jumps()
    if jumps is None:
        return None
    variable = set(flat.state_names) | {d.name for d in flat.derived} | {INJECTED, "t", *flat.inputs}
    for expr in jumps.values():
        parts = affine(expr, frozenset({"weight"}))
        rest = (parts or {}).get(ONE)
        if (
            parts is None
            or "weight" not in parts
            or names(expr) & variable
            or (rest is not None and _nonzero(rest))
        ):
            return None
    return jumps


def _nonzero(expr: Expr) -> bool:
    return not (isinstance(expr, Num) and expr.value == 0.0)


class Writer:
    """Collects lines; `now` maps every state to the name that holds its present value."""

    def __init__(
        self, flat: Flat, dt: float, ports: tuple[str, ...], injected: bool, linked: tuple[str, ...]
    ) -> None:
        self.given = {n: mangled("u", n) if n in linked else "0.0" for n in flat.inputs}
        self.flat, self.dt, self.lines, self.injected = flat, dt, list[str](), injected
        self.count, self.used = 0, dict[str, None]()
        self.now = {s: mangled("x", s) for s in flat.state_names}
        self.ports = [p for p in flat.ports if p.name in ports]
        self.held = "held" if flat.refractory else ""
        self.fired = ""
        self.left = "left"

    def put(self, stem: str, line: str) -> str:
        """A new temporary with this value; a plain name needs none."""
        if _IDENTIFIER.match(line):
            return line
        self.count += 1
        name = mangled(f"n{self.count}", stem)
        self.lines.append(f"{name} = {line}")
        return name

    def scope(
        self, states: Mapping[str, str], t: str, exprs: list[Expr], extra: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Mangled names of everything `exprs` read, derived variables computed first."""
        table = {
            **{p.name: mangled("p", p.name) for p in self.flat.parameters},
            **{c.name: mangled("p", c.name) for c in self.flat.constants},
        }
        constant = table.keys() - states.keys()
        table |= {
            **states,
            INJECTED: "i_ext" if self.injected else "0.0",
            "t": t,
            **self.given,
            **(extra or {}),
        }
        needed = self.flat.needed(exprs)
        for e in (*exprs, *(d.expr for d in needed)):
            for n in sorted(names(e) & constant):
                self.used[mangled("p", n)] = None
        for d in needed:
            table[d.name] = self.put(d.name, text(d.expr, table))
        return table

    def use(self, name: str) -> str:
        self.used[name] = None
        return name


def generate(
    flat: Flat,
    method: Method,
    dt: float,
    ports: tuple[str, ...],
    injected: bool,
    layers: tuple[str, ...] = (),
    linked: tuple[str, ...] = (),
) -> Code:
    """The code of one step. `ports` are those that something is connected to; `layers` the ports of drives
    that Brian2 draws itself, `linked` the inputs that links feed."""
    w = Writer(flat, dt, ports, injected, linked)
    jumps = {p.name: j for p in w.ports if (j := summed(p, flat)) is not None}
    events = {p.name: _event(w, p) for p in w.ports if p.name not in jumps}
    if w.held:
        w.lines.append("held = left > 0")
    added = _arrivals(w, jumps, layers)
    function = None
    if method.name == "exact":
        _exact(w)
    elif method.name == "euler":
        _euler(w, added)
    else:
        function = stepped(flat, method, dt, w.given, injected)
        _step(w, function)
    if method.name != "euler":
        for state, amount in added.items():
            w.now[state] = w.put(state, f"{w.now[state]} + {amount}")
    after: tuple[str, ...] = ()
    if events:
        w.lines += [*_writes(w), *(f"{mangled('in', p)} = 0.0" for p in jumps)]
        update, w.lines, w.now = (
            tuple(w.lines),
            (["held = left > 0"] if w.held else []),
            {s: mangled("x", s) for s in flat.state_names},
        )
        _finish(w)
        after = tuple(w.lines)
    else:
        _finish(w)
        update = (*w.lines, *(f"{mangled('in', p)} = 0.0" for p in jumps))
    return Code(
        update, after, tuple(w.used), tuple(jumps), events, bool(flat.refractory), injected, linked, function
    )


def _arrivals(w: Writer, jumps: Mapping[str, dict[str, Expr]], layers: tuple[str, ...]) -> dict[str, str]:
    """{state: text of what arrives}; nothing for a held state of a refractory cell."""
    added: dict[str, str] = {}
    for port, by_state in jumps.items():
        drawn = [
            f"{w.use(f'weight_{i}')}*poisson({w.use(f'mean_{i}')})*int(t_in_timesteps >= "
            f"{w.use(f'on_{i}')})*int(t_in_timesteps < {w.use(f'off_{i}')})"
            for i, p in enumerate(layers)
            if p == port
        ]
        arrived = w.put(port, " + ".join([mangled("in", port), *drawn]))
        for state, expr in by_state.items():
            amount = text(expr, w.scope({}, "", [expr], {"weight": arrived}))
            added[state] = f"({added[state]} + {amount})" if state in added else amount
    return {s: f"pt_where({w.held}, 0.0, {a})" if s in w.flat.held else a for s, a in added.items()}


def _exact(w: Writer) -> None:
    """x_i <- sum_j P_i_j x_j + Q_i i_ext + R_i; refractory cells by H_i_j, S_i, T_i, where those rows
    differ.
    """
    system = linear(w.flat)
    assert system is not None
    reads = structure(system).reads
    for state in system.states:
        new = _row(w, system, ("P", "Q", "R"), state)
        if state in w.flat.held:
            new = f"pt_where({w.held}, {mangled('x', state)}, {new})"
        elif w.held and set(reads[state]) & set(w.flat.held):
            new = f"pt_where({w.held}, {_row(w, system, ('H', 'S', 'T'), state)}, {new})"
        w.now[state] = w.put(state, new)


def _row(w: Writer, system: Linear, letters: tuple[str, str, str], state: str) -> str:
    p, q, r = letters
    shape, i = structure(system), system.states.index(state)
    terms = [f"{w.use(f'{p}_{i}_{system.states.index(s)}')}*{mangled('x', s)}" for s in shape.reads[state]]
    if state in shape.driven and w.injected:
        terms.append(f"{w.use(f'{q}_{i}')}*i_ext")
    if state in shape.constant:
        terms.append(w.use(f"{r}_{i}"))
    return " + ".join(terms)


def _slopes(w: Writer, states: Mapping[str, str], t: str, guard: str = "") -> dict[str, str]:
    """Derivatives as temporaries, 0 for held states of refractory cells."""
    scope = w.scope(states, t, list(w.flat.derivatives.values()))
    out = {}
    for s, e in w.flat.derivatives.items():
        slope = text(e, scope)
        out[s] = w.put(
            mangled("d", s), f"pt_where({guard}, 0.0, {slope})" if s in w.flat.held and guard else slope
        )
    return out


def _euler(w: Writer, added: Mapping[str, str]) -> None:
    """x + (h*f + arrivals), the order of operations of NEST's Izhikevich."""
    for x in w.flat.states:
        if x.name in w.flat.derivatives:
            here = w.now[x.name]
            guarded = f"pt_where(pt_abs({here}) <= {largest(x)!r}, {here}, pt_divide(0.0, 0.0))"
            w.now[x.name] = w.put(x.name, guarded)
    slopes = _slopes(w, w.now, f"(t_in_timesteps*{w.dt!r})", w.held)
    for s in w.flat.state_names:
        step = f"{w.dt!r}*{slopes[s]}" if s in slopes else ""
        change = " + ".join(x for x in (step, added.get(s, "")) if x)
        if change:
            w.now[s] = w.put(s, f"{w.now[s]} + ({change})")


def _step(w: Writer, function: Stepped) -> None:
    """Take the step and read its results."""
    own = [a for a in function.arguments.values() if a.startswith(("p_", "pq_", "own_", "key_", "cell"))]
    for name in own:
        if name != local(SIZE):
            w.use(name)
    w.put("taken", function.call(0))
    found = {n: w.put(n, function.call(i)) for i, n in enumerate(function.results, start=1)}
    w.now |= {s: found[f"{s}_"] for s in w.flat.state_names}
    if local(SIZE) in found:
        w.lines.append(f"{local(SIZE)} = {found[local(SIZE)]}")
    if FIRED in found:
        w.fired = w.put(FIRED, f"{found[FIRED]} > 0.5")
    if LEFT in found:
        w.left = w.put("left", f"int({found[LEFT]})")


def _finish(w: Writer) -> None:
    """Count the refractory period down, test the conditions in order, write the states."""
    if w.held:
        w.left = w.put("left", f"{w.left} - int({w.left} > 0)")
    _conditions(w, f"((t_in_timesteps + 1)*{w.dt!r})", w.held, extra=False)
    w.lines += _writes(w)
    if w.held:
        w.lines.append(f"left = {w.left}")
    w.lines.append(f"fired = {w.fired or 'False'}")


def _conditions(w: Writer, t: str, guard: str, extra: bool) -> None:
    for c in w.flat.conditions:
        scope = w.scope(w.now, t, [c.test, *(a.expr for a in c.assignments)])
        test = text(c.test, scope)
        true = w.put("true", f"({test}) and not {guard}" if c.spike and guard else f"({test})")
        for number, name in draws(a.expr for a in c.assignments):
            key = ", ".join(map(w.use, ("key_low", "key_high", "cell")))
            scope[name] = w.put("drawn", f"pt_random({key}, 1.0*(t_in_timesteps + 1), {float(number)!r})")
        if c.spike:
            w.fired = w.put("fired", f"{w.fired} or {true}") if w.fired else true
            if w.flat.refractory:
                w.left = w.put(
                    "left",
                    f"int({true})*(steps_left{' + int(steps_left > 0)' if extra else ''}) + int(not "
                    f"{true})*{w.left}",
                )
        for a in c.assignments:
            w.now[a.variable] = scope[a.variable] = w.put(
                a.variable, f"pt_where({true}, {text(a.expr, scope)}, {w.now[a.variable]})"
            )


def _writes(w: Writer) -> list[str]:
    return [f"{mangled('x', s)} = {n}" for s, n in w.now.items() if n != mangled("x", s)]


def _event(w: Writer, port: Port) -> tuple[str, ...]:
    """Statements of one arriving spike, for a port whose arrivals cannot be summed."""
    fixed = {*(p.name for p in w.flat.parameters), *(c.name for c in w.flat.constants)}
    table = (
        {n: f"{mangled('p', n)}_post" for n in fixed}
        | {s: f"{mangled('x', s)}_post" for s in w.flat.state_names}
        | {"weight": "w"}
    )
    table |= {
        INJECTED: "i_ext_post" if w.injected else "0.0",
        "t": f"((t_in_timesteps + 1)*{w.dt!r})",
        **{n: u if u == "0.0" else f"{u}_post" for n, u in w.given.items()},
    }
    out = []
    for d in w.flat.needed([a.expr for a in port.assignments]):
        for n in sorted(names(d.expr) & fixed):
            w.use(mangled("p", n))
        out.append(f"{mangled('d', d.name)} = {text(d.expr, table)}")
        table[d.name] = mangled("d", d.name)
    for a in port.assignments:
        for n in sorted(names(a.expr) & fixed):
            w.use(mangled("p", n))
        value = text(a.expr, table)
        if a.variable in w.flat.held and w.held:
            value = f"pt_where(left_post > 0, {mangled('x', a.variable)}_post, {value})"
        out.append(f"{mangled('x', a.variable)}_post = {value}")
    return tuple(out)
