"""The `update` block's integration: one writer for each method, free and refractory steps apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from portable.backends.nest.nestml import (
    _A,
    _B4,
    _B5,
    _C,
    Text,
    structure,
    test_conditions,
    tolerance,
    within_step,
)
from portable.dynamics.linear import linear


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
    shape = structure(w.flat, stay)
    moving = [s for s in system.states if s not in stay]
    for s in moving:
        terms = [f"P{kind}_{s}__{c} * x_{c}" for r, c in shape.pairs if r == s]
        terms += [f"Q{kind}_{s} * p_injected"] * (s in shape.driven) + [f"R{kind}_{s}"] * (
            s in shape.constant
        )
        for t in terms:
            w.used[t.split(" *")[0]] = None
        w.line(f"next{kind}_{s} real = {' + '.join(terms)}")
    for s in moving:
        w.line(f"x_{s} = next{kind}_{s}")


def _slopes(w: Text, states: dict[str, str], mark: str, time: str, held: bool) -> list[str]:
    """Declare k<mark>_<state> for every state that moves; returns those states."""
    moving = [s for s in w.flat.derivatives if not (held and s in w.flat.held)]
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
    """The classical Runge-Kutta method."""

    def step(w: Text, held: bool) -> None:
        tag = "h" * held
        moving = _slopes(w, _current(w), "1" + tag, "clock * step_h", held)
        for before, now, part in (
            ("1", "2", "step_h / 2.0"),
            ("2", "3", "step_h / 2.0"),
            ("3", "4", "step_h"),
        ):
            states = _moved(w, moving, now + tag, f"({part})", [(1.0, before + tag)])
            _slopes(w, states, now + tag, f"clock * step_h + {part}", held)
        _moved(
            w,
            moving,
            "5" + tag,
            "step_h",
            [(1 / 6, "1" + tag), (1 / 3, "2" + tag), (1 / 3, "3" + tag), (1 / 6, "4" + tag)],
        )
        for s in moving:
            w.line(f"x_{s} = y5{tag}_{s}")

    _both(w, step)


def rkf45(w: Text) -> None:
    """Fehlberg's 4(5) pair, step size by the rule of the GNU Scientific Library's manual ("Adaptive Step-size
    Control"). Models with `within_step` have the error level that NEST's aeif models were measured to have:
    eps_abs = eps_rel on h*y' at the end of the substep.

    Where the model is defined by this method (`within_step`), its condition is tested after each substep.
    """
    w.line("done real = 0.0")
    w.line("while done < step_h:")
    w.depth += 1
    w.line("rest real = step_h - done")
    w.line("span real = size")
    w.line("last integer = 0")
    w.line("if size >= rest:")
    w.line("    span = rest")
    w.line("    last = 1")
    w.line("error real = 0.0")
    _both(w, _fehlberg)
    w.depth -= 1


def _fehlberg(w: Text, held: bool) -> None:
    tag = "h" * held
    begin = "clock * step_h + done"
    moving = _slopes(w, _current(w), "1" + tag, begin, held)
    for stage, (row, c) in enumerate(zip(_A, _C, strict=True), start=2):
        states = _moved(w, moving, f"{stage}{tag}", "span", [(a, f"{i + 1}{tag}") for i, a in enumerate(row)])
        _slopes(w, states, f"{stage}{tag}", f"({begin}) + {w.number(c)} * span", held)
    after = _moved(w, moving, "7" + tag, "span", [(b, f"{i + 1}{tag}") for i, b in enumerate(_B5)])
    within = within_step(w.flat)
    level = w.number(tolerance(w.flat))
    if within:
        _slopes(w, after, "8" + tag, f"({begin}) + span", held)
    for s in moving:
        terms = [
            f"{w.number(b5 - b4)} * k{i + 1}{tag}_{s}"
            for i, (b5, b4) in enumerate(zip(_B5, _B4, strict=True))
            if b5 != b4
        ]
        limit = f"({level} + {level} * abs(span * k8{tag}_{s}))" if within else level
        w.line(f"error = max(error, abs(span * ({' + '.join(terms)})) / {limit})")
    w.line(f"ratio{tag} real = max(error, {w.number(1e-300)})")
    w.line("size = span")
    w.line(f"if ratio{tag} > 1.1:")
    w.line(f"    size = span * max(0.9 * ratio{tag}**{w.number(-1 / 5)}, 0.2)")
    w.line("else:")
    w.depth += 1
    w.line(f"if ratio{tag} < 0.5:")
    w.line(f"    size = span * min(max(0.9 * ratio{tag}**{w.number(-1 / 6)}, 1.0), 5.0)")
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
