"""Source of a step (`steps`) as C: the same statements in the same order. Pure text.

Every variable is a double (a truth value is 0.0 or 1.0), so nothing has to be known about types.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

_OPERATORS: Mapping[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.BitAnd: "&&", ast.BitOr: "||",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.And: "&&", ast.Or: "||",
}  # fmt: skip
# Python's max(a, b) is b only where b > a, so that a nan in b does not count; numba's is the same.
_FUNCTIONS = {"abs": "fabs({0})", "max": "({1} > {0} ? {1} : {0})", "min": "({1} < {0} ? {1} : {0})"}


def statements(source: str, functions: Mapping[str, str] | None = None) -> tuple[str, tuple[str, ...]]:
    """(C statements, names that they assign) of Python source of `steps`. `functions` renames calls.

    ValueError on anything that steps do not write.
    """
    printer = _Printer(functions or {})
    body = printer.block(ast.parse(source).body, 1)
    return "\n".join(body), tuple(printer.assigned)


class _Printer:
    def __init__(self, functions: Mapping[str, str]) -> None:
        self.functions, self.assigned = functions, dict[str, None]()

    def block(self, nodes: Sequence[ast.stmt], depth: int) -> list[str]:
        out: list[str] = []
        for node in nodes:
            out += self.statement(node, depth)
        return out

    def statement(self, node: ast.stmt, depth: int) -> list[str]:
        pad = "    " * depth
        match node:
            case ast.Assign([ast.Name(name)], value):
                self.assigned[name] = None
                return [f"{pad}{name} = {self.expr(value)};"]
            case ast.While(test, body, []):
                return [f"{pad}while ({self.expr(test)}) {{", *self.block(body, depth + 1), f"{pad}}}"]
            case ast.If(test, body, other):
                lines = [f"{pad}if ({self.expr(test)}) {{", *self.block(body, depth + 1), f"{pad}}}"]
                if other:
                    lines += [f"{pad}else {{", *self.block(other, depth + 1), f"{pad}}}"]
                return lines
            case ast.Break():
                return [f"{pad}break;"]
            case ast.Continue():
                return [f"{pad}continue;"]
        raise ValueError(f"a step has no such statement: {ast.unparse(node)}")

    def expr(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(bool() as truth):
                return "1.0" if truth else "0.0"
            case ast.Constant(int() | float() as number):
                return repr(float(number))
            case ast.Name(name):
                return name
            case ast.UnaryOp(ast.USub(), x):
                return f"(-{self.expr(x)})"
            case ast.UnaryOp(ast.Not(), x):
                return f"(!({self.expr(x)}))"
            case ast.BinOp(a, ast.Pow(), b):
                return f"pow({self.expr(a)}, {self.expr(b)})"
            case ast.BinOp(a, op, b) if type(op) in _OPERATORS:
                return f"({self.expr(a)} {_OPERATORS[type(op)]} {self.expr(b)})"
            case ast.Compare(a, [op], [b]) if type(op) in _OPERATORS:
                return f"({self.expr(a)} {_OPERATORS[type(op)]} {self.expr(b)})"
            case ast.BoolOp(op, values):
                return "(" + f" {_OPERATORS[type(op)]} ".join(self.expr(v) for v in values) + ")"
            case ast.IfExp(test, a, b):
                return f"({self.expr(test)} ? {self.expr(a)} : {self.expr(b)})"
            case ast.Call(ast.Name(fn), arguments, []):
                texts = [self.expr(a) for a in arguments]
                form = _FUNCTIONS.get(fn)
                return form.format(*texts) if form else f"{self.functions.get(fn, fn)}({', '.join(texts)})"
        raise ValueError(f"a step has no such expression: {ast.unparse(node)}")
