"""Expressions in LEMS syntax, as jLEMS reads them.

jLEMS has no `?:`, min, max, floor, log10, expm1 and no unit literals, and its unary minus binds oddly after *
and /. So every operation is in brackets, -x is (0 - x), a literal with a dimension becomes a Constant, and
what needs a choice is taken out into a line of its own, which the place that asks writes as a
ConditionalDerivedVariable or as conditional assignments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from portable.dynamics.dimensions import dimension_of
from portable.dynamics.emit import INTEGER_POWERS
from portable.dynamics.expressions import Bin, Call, Cmp, Expr, Logic, Name, Neg, Num, Where
from portable.dynamics.random_calls import has_random
from portable.errors import ModelError
from portable.schemas.neuroml.write_units import Units
from portable.units import NONE, Dimension

_TESTS = {"<": ".lt.", "<=": ".leq.", ">": ".gt.", ">=": ".geq.", "==": ".eq.", "!=": ".neq."}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_PLAIN = frozenset({"exp", "ln", "sin", "cos", "tan", "sinh", "cosh", "tanh", "ceil", "factorial"})
# below it expm1 and exprel are their Taylor series to third order: relative error 1e-16; above, (exp(x) - 1)
# keeps 1e-11
SMALL = 1e-5


@dataclass(frozen=True)
class Line:
    """A variable of its own: the value of the first case whose test holds, or `default`."""

    name: str
    dimension: Dimension
    default: str
    cases: tuple[tuple[str, str, str], ...] = ()  # test, its negation, value


@dataclass
class Writer:
    """Writes the expressions of one component type. `symbols` maps its names to dimensions; `lines` are the
    variables taken out so far.
    """

    units: Units
    symbols: dict[str, Dimension]
    path: str
    taken: set[str]
    constants: dict[tuple[float, Dimension], str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    rename: Mapping[str, str] = field(default_factory=dict)

    def fresh(self, stem: str) -> str:
        """A name that nothing else of the type has."""
        name, n = stem, 1
        while name in self.taken:
            n += 1
            name = f"{stem}{n}"
        self.taken.add(name)
        return name

    def take(self) -> list[Line]:
        """The lines taken out since the last call, in the order of evaluation."""
        out, self.lines = self.lines, []
        return out

    def dimension(self, expr: Expr) -> Dimension:
        return dimension_of(expr, self.symbols)

    def constant(self, value: float, d: Dimension) -> str:
        """The name of a constant with a dimension."""
        key = (value, d)
        if key not in self.constants:
            self.constants[key] = self.fresh(f"K{len(self.constants) + 1}")
            self.symbols[self.constants[key]] = d
        return self.constants[key]

    def number(self, expr: Expr) -> str:
        """The expression as a number."""
        match expr:
            case Num(value, d):
                return self._literal(value, d)
            case Name(id):
                return self.rename.get(id, id)
            case Neg(x):
                return f"({self._zero(x)} - {self.number(x)})"
            case Bin("^", a, b):
                return self._power(a, b)
            case Bin(op, a, b):
                return (
                    f"({self._beside(a, b)} {op} {self._beside(b, a)})"
                    if op in "+-"
                    else f"({self.number(a)} {op} {self.number(b)})"
                )
            case Call(fn, args):
                return self._call(fn, args)
            case Cmp() | Logic():
                return self._choice(((expr, Num(1.0)),), Num(0.0), NONE)
            case Where(test, a, b):
                d = self.dimension(expr)
                return self._choice(((test, a),), b, d)

    def truth(self, expr: Expr, negate: bool = False) -> str:
        """The expression as a condition; `negate` gives its opposite, without a .not."""
        match expr:
            case Cmp(op, a, b):
                return (
                    f"({self._beside(a, b)} {_TESTS[_OPPOSITE[op] if negate else op]} {self._beside(b, a)})"
                )
            case Logic("not", (x,)):
                return self.truth(x, not negate)
            case Logic(op, (a, b)):
                word = {"and": "or", "or": "and"}[op] if negate else op
                return f"({self.truth(a, negate)} .{word}. {self.truth(b, negate)})"
            case _:
                return self.truth(Cmp("!=", expr, Num(0.0, self.dimension(expr))), negate)

    def _literal(self, value: float, d: Dimension) -> str:
        if d != NONE:
            return self.constant(value, d)
        return repr(float(value)) if value >= 0 else f"(0 - {-float(value)!r})"

    def _zero(self, beside: Expr) -> str:
        return self._literal(0.0, self.dimension(beside))

    def _beside(self, expr: Expr, other: Expr) -> str:
        """An operand of a sum or comparison; a bare 0 takes the other's dimension."""
        return (
            self._zero(other)
            if isinstance(expr, Num) and expr.value == 0.0 and expr.dimension == NONE
            else self.number(expr)
        )

    def _power(self, a: Expr, b: Expr) -> str:
        exponent = (
            -b.x.value
            if isinstance(b, Neg) and isinstance(b.x, Num)
            else b.value
            if isinstance(b, Num)
            else None
        )
        whole = exponent is not None and float(exponent).is_integer()
        plain = self.dimension(a) == NONE
        if not whole or (plain and not 1 <= (exponent or 0) <= INTEGER_POWERS):
            return f"({self.number(a)} ^ {self.number(b)})"
        assert exponent is not None
        if exponent == 0:
            return "1"
        product = "(" + " * ".join([self.leaf(a)] * int(abs(exponent))) + ")"
        return product if exponent > 0 else f"(1 / {product})"

    def leaf(self, expr: Expr) -> str:
        """The expression as one name or literal, so that it can be written several times."""
        if isinstance(expr, (Num, Name)):
            return self.number(expr)
        if has_random(expr):
            raise ModelError(
                self.path,
                "random() inside a power, min, max, abs or exprel cannot be written as LEMS",
                "assign it to a state variable first",
            )
        d = self.dimension(expr)
        return self._line(self.number(expr), (), d)

    def _line(self, default: str, cases: tuple[tuple[str, str, str], ...], d: Dimension) -> str:
        name = self.fresh(f"aux{len(self.taken)}")
        self.symbols[name] = d
        self.lines.append(Line(name, d, default, cases))
        return name

    def _choice(self, cases: tuple[tuple[Expr, Expr], ...], default: Expr, d: Dimension) -> str:
        made = tuple((self.truth(t), self.truth(t, negate=True), self._with(v, d)) for t, v in cases)
        return self._line(self._with(default, d), made, d)

    def _with(self, expr: Expr, d: Dimension) -> str:
        """A value of a choice: a bare 0 gets the dimension of the others."""
        return self._literal(0.0, d) if isinstance(expr, Num) and expr.value == 0.0 else self.number(expr)

    def _call(self, fn: str, args: tuple[Expr, ...]) -> str:
        if fn in _PLAIN:
            return f"{fn}({self.number(args[0])})"
        if fn not in _REWRITTEN:
            raise ModelError(
                self.path,
                f"the equations use {fn}(), which cannot be written as LEMS",
                "write it with other functions",
            )
        return _REWRITTEN[fn](self, args)

    def _named(self, expr: Expr) -> Expr:
        """The expression as a name that can be read several times."""
        if isinstance(expr, (Num, Name)):
            return expr
        return Name(self.leaf(expr))


def _sqrt(w: Writer, args: tuple[Expr, ...]) -> str:
    d = w.dimension(args[0])
    if d == NONE:
        return f"sqrt({w.number(args[0])})"
    unit, root = w.constant(1.0, d), w.constant(1.0, Dimension(*(e // 2 for e in d)))
    return f"(sqrt({w.number(args[0])} / {unit}) * {root})"


def _smaller(test: str) -> Callable[[Writer, tuple[Expr, ...]], str]:
    def chosen(w: Writer, args: tuple[Expr, ...]) -> str:
        a, b = (w._named(x) for x in args)
        return w.number(Where(Cmp(test, a, b), a, b))

    return chosen


def _abs(w: Writer, args: tuple[Expr, ...]) -> str:
    if w.dimension(args[0]) == NONE:
        return f"abs({w.number(args[0])})"
    x = w._named(args[0])
    return w.number(Where(Cmp("<", x, Num(0.0, w.dimension(x))), Neg(x), x))


def _heaviside(w: Writer, args: tuple[Expr, ...]) -> str:
    if w.dimension(args[0]) == NONE:
        return f"H({w.number(args[0])})"
    x, zero = w._named(args[0]), Num(0.0, w.dimension(args[0]))
    return w._choice(((Cmp(">", x, zero), Num(1.0)), (Cmp("==", x, zero), Num(0.5))), Num(0.0), NONE)


def _near_zero(divided: bool) -> Callable[[Writer, tuple[Expr, ...]], str]:
    def chosen(w: Writer, args: tuple[Expr, ...]) -> str:
        x = w.leaf(args[0])
        series = f"(1 + ({x} * (0.5 + ({x} / 6))))"
        test = f"((({x} * {x}) .lt. {SMALL**2!r}))"
        opposite = f"((({x} * {x}) .geq. {SMALL**2!r}))"
        far = f"((exp({x}) - 1) / {x})" if divided else f"(exp({x}) - 1)"
        return w._line(far, ((test, opposite, series if divided else f"({x} * {series})"),), NONE)

    return chosen


_REWRITTEN: dict[str, Callable[[Writer, tuple[Expr, ...]], str]] = {
    "sqrt": _sqrt,
    "min": _smaller("<="),
    "max": _smaller(">="),
    "abs": _abs,
    "H": _heaviside,
    "floor": lambda w, a: f"(0 - ceil((0 - {w.number(a[0])})))",
    "log10": lambda w, a: f"(ln({w.number(a[0])}) / 2.302585092994046)",
    "random": lambda w, a: f"(random(1) * {w.number(a[0])})",  # jLEMS's functions take no dimension
    "expm1": _near_zero(False),
    "exprel": _near_zero(True),
}
