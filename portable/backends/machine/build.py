"""Generated Python text -> LLVM's intermediate language.

The text is what this package's generators write, a small part of Python:

- functions of int64 and float64 that return an int64; a variable is int64, float64 or a truth value, by what
  it is first given (int64 becomes float64 where it has to);
- x = view(address, (length,), float64 | int64 | int32 | uint32 | uint16), and then x[i], x.size: arrays by
  their address, whose indices are not checked;
- prefetch(x, i): the memory of x[i] is asked for;
- assignments, if, for i in range(...), while, break, continue, return, pass;
- + - * / ** & | >> and or not (>> of numbers >= 0), comparisons, a if c else b, numbers, min, max, pow,
  float, int, the functions of libm that values.py names, those of `extern`.

Arithmetic is IEEE 754 as written: nothing is reassociated or fused, so the results are those of numba and of
C without -ffast-math. x / 0 is inf or nan.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from llvmlite import ir

from portable.backends.machine.extern import Extern
from portable.backends.machine.values import FLOAT, INT, Values, called


def module(source: str, extern: Mapping[str, Extern], floats: tuple[str, ...] = ()) -> ir.Module:
    """All functions of the source. Arguments are int64, but those named in `floats`."""
    out = ir.Module("generated")
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            _Function(out, node, extern, floats)
    return out


def function_names(source: str) -> tuple[str, ...]:
    """Of the functions that `module` makes."""
    return tuple(re.findall(r"^def (\w+)\(", source, re.MULTILINE))


class _Function:
    """Translates one function while it is made."""

    def __init__(
        self, module: ir.Module, node: ast.FunctionDef, extern: Mapping[str, Extern], floats: tuple[str, ...]
    ) -> None:
        names = [a.arg for a in node.args.args]
        types = [FLOAT if n in floats else INT for n in names]
        function = ir.Function(module, ir.FunctionType(INT, types), node.name)
        function.attributes.add("nounwind")
        self.values = Values(module, function, extern)
        self.code = self.values.code
        first = self.code.block
        self.loops: list[tuple[Any, Any]] = []  # where `continue` and `break` lead
        for name, value in zip(names, function.args, strict=True):
            self.values.assign(name, value)
        self.body(node.body)
        ir.IRBuilder(self.values.entry).branch(first)
        if not self.code.block.is_terminated:
            self.code.ret(INT(0))

    # ---- statements

    def body(self, statements: list[ast.stmt]) -> None:
        for s in statements:
            if self.code.block.is_terminated:
                return
            getattr(self, f"on_{type(s).__name__}")(s)

    def on_Assign(self, s: ast.Assign) -> None:
        (target,) = s.targets
        if isinstance(target, ast.Name) and called(s.value) == "view":
            self.values.arrays[target.id] = self.values.view(s.value)
        else:
            self.values.set(target, self.values.value(s.value))

    def on_Expr(self, s: ast.Expr) -> None:
        assert called(s.value) == "prefetch"
        assert isinstance(s.value, ast.Call)
        self.values.prefetch(s.value)

    def on_AugAssign(self, s: ast.AugAssign) -> None:
        if isinstance(s.target, ast.Name):
            before = self.code.load(self.values.variables[s.target.id])
            self.values.assign(s.target.id, self.values.operate(s.op, before, self.values.value(s.value)))
        else:
            assert isinstance(s.target, ast.Subscript)
            place, kind = self.values.place(s.target)
            self.values.store(
                place,
                kind,
                self.values.operate(s.op, self.values.load(place, kind), self.values.value(s.value)),
            )

    def on_If(self, s: ast.If) -> None:
        test = self.values.truth(self.values.value(s.test))
        then, other, after = (self.values.block() for _ in range(3))
        self.code.cbranch(test, then, other if s.orelse else after)
        for start, body in ((then, s.body), (other, s.orelse)):
            self.code.position_at_end(start)
            self.body(body)
            self.values.go(after)
        self.code.position_at_end(after)

    def on_For(self, s: ast.For) -> None:
        assert isinstance(s.target, ast.Name)
        assert isinstance(s.iter, ast.Call)
        *low, high = (self.values.value(a) for a in s.iter.args)
        name = s.target.id
        self.values.assign(name, low[0] if low else INT(0))
        test, body, following, after = (self.values.block() for _ in range(4))
        self.values.go(test)
        self.code.position_at_end(test)
        now = self.code.load(self.values.variables[name])
        self.code.cbranch(self.code.icmp_signed("<", now, high), body, after)
        self.inside(body, s.body, following, after)
        self.values.go(following)
        self.code.position_at_end(following)
        self.values.assign(
            name, self.code.add(self.code.load(self.values.variables[name]), INT(1), flags=["nsw"])
        )
        self.values.go(test)
        self.code.position_at_end(after)

    def on_While(self, s: ast.While) -> None:
        test, body, after = (self.values.block() for _ in range(3))
        self.values.go(test)
        self.code.position_at_end(test)
        self.code.cbranch(self.values.truth(self.values.value(s.test)), body, after)
        self.inside(body, s.body, test, after)
        self.values.go(test)
        self.code.position_at_end(after)

    def inside(self, block: Any, statements: list[ast.stmt], following: Any, after: Any) -> None:
        self.loops.append((following, after))
        self.code.position_at_end(block)
        self.body(statements)
        self.loops.pop()

    def on_Continue(self, _: ast.Continue) -> None:
        self.code.branch(self.loops[-1][0])

    def on_Break(self, _: ast.Break) -> None:
        self.code.branch(self.loops[-1][1])

    def on_Return(self, s: ast.Return) -> None:
        assert s.value is not None
        self.code.ret(self.values.value(s.value))

    def on_Pass(self, _: ast.Pass) -> None:
        pass
