"""The `update` block's integration: one writer for each method, free and refractory steps apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from portable.backends.nest.text import Text, test_conditions
from portable.dynamics.flat import INJECTED
from portable.dynamics.linear import Linear, linear, linear_part, structure
from portable.dynamics.methods import GROW_BELOW, LARGEST_CHANGE, SAFETY, SHRINK_ABOVE, TRIES
from portable.dynamics.steps import HALF, PIECES, WHOLE, rows


def _terms(weights: Sequence[Fraction], tag: str) -> list[tuple[float, str]]:
    return [(float(x), f"{i}{tag}") for i, x in enumerate(weights, start=1)]


def _both(w: Text, step: Callable[[Text, bool], None]) -> None:
    """The refractory step where the cell is held, else the free one."""
    if not w.flat.held:
        step(w, False)
        return
    w.line("if left > 0:")
    w.depth += 1
    before = len(w.lines)
    step(w, True)
    if len(w.lines) == before:  # nothing moves; the grammar wants a statement
        w.line("stuck = 1")
    w.depth -= 1
    w.line("else:")
    w.depth += 1
    step(w, False)
    w.depth -= 1


def exact(w: Text) -> None:
    """x_i <- sum_j P_ij x_j + Q_i i_ext + R_i, in the order of states."""
    _both(w, _propagate)


def _propagate(w: Text, held: bool) -> None:
    system = linear(w.flat)
    assert system is not None
    kind = "h" if held else "f"
    stay = w.flat.held if held else ()
    shape = structure(system, stay)
    moving = [s for s in system.states if s not in stay]
    for s in moving:
        terms = [f"P{kind}_{s}__{c} * x_{c}" for c in shape.reads[s]]
        terms += [f"Q{kind}_{s} * p_injected"] * (s in shape.driven) + [f"R{kind}_{s}"] * (
            s in shape.constant
        )
        for t in terms:
            w.used[t.split(" *")[0]] = None
        w.line(f"next{kind}_{s} real = {' + '.join(terms)}")
    for s in moving:
        w.line(f"x_{s} = next{kind}_{s}")


def _slopes(
    w: Text, states: dict[str, str], mark: str, time: str, held: bool, known: Sequence[str] = ()
) -> list[str]:
    """Declare k<mark>_<state> for every state that moves and is not known; returns those states."""
    moving = [s for s in w.flat.derivatives if s not in known and not (held and s in w.flat.held)]
    exprs = [w.flat.derivatives[s] for s in moving]
    w.derive(exprs, states, mark, time)
    for s, e in zip(moving, exprs, strict=True):
        w.line(f"k{mark}_{s} real = {w.expr(e, states, mark)}")
    return moving


def _current(w: Text) -> dict[str, str]:
    return {s: f"x_{s}" for s in w.flat.state_names}


def _moved(
    w: Text, moving: Sequence[str], mark: str, h: str, terms: list[tuple[float, str]]
) -> dict[str, str]:
    """Declare y<mark>_<state> = x + h*(sum of coefficient * slope)."""
    for s in moving:
        total = " + ".join(
            f"k{m}_{s}" if c == 1.0 else f"{w.number(c)} * k{m}_{s}" for c, m in terms if c != 0.0
        )
        w.line(f"y{mark}_{s} real = x_{s} + {h} * ({total})")
    return {s: f"y{mark}_{s}" if s in moving else f"x_{s}" for s in w.flat.state_names}


def euler(w: Text) -> None:
    """x + (h*f + jump); the sum is made at the end of the step, when the arrivals are known."""

    def step(w: Text, held: bool) -> None:
        moving = _slopes(w, _current(w), "1" + "h" * held, "clock * step_h", held)
        for s in w.flat.derivatives:
            w.line(f"increment_{s} = step_h * k1{'h' * held}_{s}" if s in moving else f"increment_{s} = 0.0")

    _both(w, step)


def rk4(w: Text) -> None:
    """The classical Runge-Kutta method, with the linear part propagated exactly (dynamics.steps)."""
    part = linear_part(w.flat)
    if part is None:
        _both(w, lambda w, held: _classical(w, held, None, "step_h", "clock * step_h"))
        return
    w.line(f"part_h real = step_h / {w.quantity(PIECES)}")
    w.line("piece real = 0.0")
    w.line(f"while piece < {w.quantity(PIECES)}:")
    w.depth += 1
    _both(w, lambda w, held: _classical(w, held, part, "part_h", "(clock * step_h + piece * part_h)"))
    w.line("piece = piece + 1.0")
    w.depth -= 1


def _classical(w: Text, held: bool, part: Linear | None, h: str, begin: str) -> None:
    tag, known = "h" * held, part.states if part else ()
    for kind in (HALF, WHOLE) if part else ():
        for s, row in rows(part, kind).items() if part else ():
            terms = [w.quantity(q) + (f" * {_factor(x)}" if x else "") for q, x in row]
            w.line(f"{kind[1:]}{tag}_{s} real = {' + '.join(terms)}")
    moving = _slopes(w, _current(w), "1" + tag, begin, held, known)
    for before, now, part_h, kind in (
        ("1", "2", f"{h} / 2.0", HALF),
        ("2", "3", f"{h} / 2.0", HALF),
        ("3", "4", h, WHOLE),
    ):
        states = _moved(w, moving, now + tag, f"({part_h})", [(1.0, before + tag)])
        states |= {s: f"{kind[1:]}{tag}_{s}" for s in known}
        _slopes(w, states, now + tag, f"{begin} + {part_h}", held, known)
    weights = [(1 / 6, "1" + tag), (1 / 3, "2" + tag), (1 / 3, "3" + tag), (1 / 6, "4" + tag)]
    _moved(w, moving, "5" + tag, h, weights)
    for s in moving:
        w.line(f"x_{s} = y5{tag}_{s}")
    for s in known:
        w.line(f"x_{s} = whole{tag}_{s}")


def _factor(what: str) -> str:
    return "p_injected" if what == INJECTED else f"x_{what}"


def rkf45(w: Text) -> None:
    """Substeps of an embedded pair by the control of `methods`."""
    w.line("done real = 0.0")
    w.line("tries integer = 0")
    w.line("while done < step_h:")
    w.depth += 1
    w.line("rest real = step_h - done")
    w.line("span real = size")
    w.line("last integer = 0")
    w.line("if size >= rest:")
    w.line("    span = rest")
    w.line("    last = 1")
    w.line("error real = 0.0")
    w.line("tries = tries + 1")
    _both(w, _embedded)
    w.line(f"if tries > {TRIES}:")
    w.line("    done = step_h")
    w.line("    size = step_h")
    for s in w.flat.derivatives:
        w.line(f"    x_{s} = {w.number(1e300)} * {w.number(1e300)}")
    w.depth -= 1


def _embedded(w: Text, held: bool) -> None:
    tag = "h" * held
    begin = "clock * step_h + done"
    moving = _slopes(w, _current(w), "1" + tag, begin, held)
    tableau, within = w.method.tableau, w.method.within_step
    assert tableau is not None
    for stage, (row, c) in enumerate(zip(tableau.rows[1:], tableau.nodes[1:], strict=True), start=2):
        states = _moved(w, moving, f"{stage}{tag}", "span", _terms(row, tag))
        _slopes(w, states, f"{stage}{tag}", f"({begin}) + {w.number(float(c))} * span", held)
    after = _moved(w, moving, "7" + tag, "span", _terms(tableau.weights, tag))
    level = w.number(w.method.tolerance)
    if within:
        _slopes(w, after, "8" + tag, f"({begin}) + span", held)
    for s in moving:
        terms = [f"{w.number(e)} * k{mark}_{s}" for e, mark in _terms(tableau.error, tag) if e]
        limit = f"({level} + {level} * abs(span * k8{tag}_{s}))" if within else level
        w.line(f"error = max(error, abs(span * ({' + '.join(terms)})) / {limit})")
    w.line(f"ratio{tag} real = max(error, {w.number(1e-300)})")
    w.line("size = span")
    w.line(f"less{tag} real = span * max({SAFETY} * ratio{tag}**{w.number(-1 / 5)}, {1 / LARGEST_CHANGE})")
    w.line(f"if ratio{tag} > {SHRINK_ABOVE} and less{tag} < span and done + less{tag} > done:")
    w.line(f"    size = less{tag}")
    w.line("else:")
    w.depth += 1
    w.line(f"if ratio{tag} < {GROW_BELOW}:")
    w.line(f"    size = span * min(max({SAFETY} * ratio{tag}**{w.number(-1 / 6)}, 1.0), {LARGEST_CHANGE})")
    for s in moving:
        w.line(f"x_{s} = y7{tag}_{s}")
    w.line("if last == 1:")
    w.line("    done = step_h")
    w.line("else:")
    w.line("    done = done + span")
    if within and not held:
        # the end of the step still counts one down
        test_conditions(w, "m", begin, "left == 0", "left = refractory > 0 ? refractory + 1 : 0")
    w.depth -= 1


STEPS: dict[str, Callable[[Text], None]] = {"exact": exact, "euler": euler, "rk4": rk4, "rkf45": rkf45}
