"""The values of one generated function while it is translated: variables, arrays, expressions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from portable.backends.machine.extern import Extern

INT, FLOAT, BOOL = ir.IntType(64), ir.DoubleType(), ir.IntType(1)
ITEMS = {"float64": FLOAT, "int64": INT, "int32": ir.IntType(32)}
ITEMS |= {"uint32": ir.IntType(32), "uint16": ir.IntType(16)}
KINDS = {"float64": FLOAT, "int64": INT}
# Of one float64: LLVM's own, which its passes know, or libm's.
INTRINSICS = {
    "exp": "exp", "log": "log", "log10": "log10", "sqrt": "sqrt", "sin": "sin", "cos": "cos", "abs": "fabs",
    "ceil": "ceil", "floor": "floor",
}  # fmt: skip
LIBM = ("tan", "sinh", "cosh", "tanh", "expm1")
_COMPARED = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_BITS = {ast.BitAnd: "and_", ast.BitOr: "or_", ast.RShift: "lshr"}


@dataclass(frozen=True)
class Array:
    """An array by its address. Items are loaded as int64 or float64."""

    pointer: Any
    kind: str
    size: Any


class Values:
    """Writes into the function: `code` stands where the next instruction goes, `entry` holds variables."""

    def __init__(self, module: ir.Module, function: Any, extern: Mapping[str, Extern]) -> None:
        self.module, self.function, self.extern = module, function, extern
        self.entry = function.append_basic_block("entry")
        self.code = ir.IRBuilder(function.append_basic_block("body"))
        self.variables: dict[str, Any] = {}
        self.arrays: dict[str, Array] = {}

    def block(self) -> Any:
        return self.function.append_basic_block()

    def go(self, block: Any) -> None:
        if not self.code.block.is_terminated:
            self.code.branch(block)

    def set(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self.assign(target.id, value)
        else:
            assert isinstance(target, ast.Subscript)
            self.store(*self.place(target), value)

    def assign(self, name: str, value: Any) -> None:
        if name not in self.variables:
            at = ir.IRBuilder(self.entry)
            self.variables[name] = at.alloca(value.type, name=name)
        kind = self.variables[name].allocated_type
        if kind != value.type:
            assert kind == FLOAT, f"{name} is not float64 from the start"
            value = self.real(value)
        self.code.store(value, self.variables[name])

    def view(self, call: Any) -> Array:
        """The array at an address."""
        address, shape, kind = call.args
        pointer = self.code.inttoptr(self.value(address), ITEMS[kind.id].as_pointer())
        return Array(pointer, kind.id, self.value(shape.elts[0]))

    def place(self, s: ast.Subscript) -> tuple[Any, str]:
        """Pointer to an item, and its type."""
        assert isinstance(s.value, ast.Name)
        array = self.arrays[s.value.id]
        return self.code.gep(array.pointer, [self.value(s.slice)], inbounds=True), array.kind

    def prefetch(self, call: ast.Call) -> None:
        """Ask for the memory of an item, to be read and written."""
        array, index = call.args
        assert isinstance(array, ast.Name)
        known = self.arrays[array.id]
        byte = ir.IntType(8).as_pointer()
        place = self.code.bitcast(self.code.gep(known.pointer, [self.value(index)]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, *3 * [ir.IntType(32)]])
        name = "llvm.prefetch.p0i8" if str(byte) == "i8*" else "llvm.prefetch.p0"
        function = self.module.globals.get(name) or ir.Function(self.module, kind, name)
        self.code.call(function, [place, *(ir.IntType(32)(n) for n in (1, 3, 1))])

    def load(self, place: Any, kind: str) -> Any:
        value = self.code.load(place)
        if ITEMS[kind] in (FLOAT, INT):
            return value
        return self.code.zext(value, INT) if kind.startswith("u") else self.code.sext(value, INT)

    def store(self, place: Any, kind: str, value: Any) -> None:
        item = ITEMS[kind]
        if item == FLOAT:
            value = self.real(value)
        elif item != INT:
            value = self.code.trunc(value, item)
        self.code.store(value, place)

    # ---- expressions

    def value(self, e: ast.expr) -> Any:
        out: Any = getattr(self, f"of_{type(e).__name__}")(e)
        return out

    def of_Constant(self, e: ast.Constant) -> Any:
        kinds: dict[type, Any] = {bool: BOOL, int: INT, float: FLOAT}
        return kinds[type(e.value)](e.value)

    def of_Name(self, e: ast.Name) -> Any:
        return self.code.load(self.variables[e.id])

    def of_Attribute(self, e: ast.Attribute) -> Any:
        assert isinstance(e.value, ast.Name)
        assert e.attr == "size"
        return self.arrays[e.value.id].size

    def of_Subscript(self, e: ast.Subscript) -> Any:
        return self.load(*self.place(e))

    def of_BinOp(self, e: ast.BinOp) -> Any:
        """A chain a + b + ... by a loop: sums of many receptors would be too deep for recursion."""
        chain, first = [e], e.left
        while isinstance(first, ast.BinOp):
            chain.append(first)
            first = first.left
        out = self.value(first)
        for part in reversed(chain):
            out = self.operate(part.op, out, self.value(part.right))
        return out

    def of_UnaryOp(self, e: ast.UnaryOp) -> Any:
        x = self.value(e.operand)
        if isinstance(e.op, ast.Not):
            return self.code.not_(self.truth(x))
        assert isinstance(e.op, ast.USub)
        return self.code.fneg(x) if x.type == FLOAT else self.code.neg(x)

    def of_BoolOp(self, e: ast.BoolOp) -> Any:
        """One after the other, as long as the answer is open."""
        after, found = self.block(), list[tuple[Any, Any]]()
        for v in e.values[:-1]:
            found.append((self.truth(self.value(v)), self.code.block))
            following = self.block()
            ends = (following, after) if isinstance(e.op, ast.And) else (after, following)
            self.code.cbranch(found[-1][0], *ends)
            self.code.position_at_end(following)
        found.append((self.truth(self.value(e.values[-1])), self.code.block))
        self.code.branch(after)
        return self.joined(after, found)

    def of_Compare(self, e: ast.Compare) -> Any:
        (op,), (right,) = e.ops, e.comparators
        return self.compare(_COMPARED[type(op)], self.value(e.left), self.value(right))

    def of_IfExp(self, e: ast.IfExp) -> Any:
        test = self.truth(self.value(e.test))
        then, other, after = (self.block() for _ in range(3))
        self.code.cbranch(test, then, other)
        found = []
        for block, expr in ((then, e.body), (other, e.orelse)):
            self.code.position_at_end(block)
            found.append((self.value(expr), self.code.block))
        mixed = found[0][0].type != found[1][0].type
        ends = []
        for value, block in found:
            self.code.position_at_end(block)
            ends.append(self.real(value) if mixed else value)
            self.code.branch(after)
        return self.joined(after, zip(ends, (block for _, block in found), strict=True))

    def joined(self, after: Any, found: Iterable[tuple[Any, Any]]) -> Any:
        """In block `after`, the value of the block from which it was reached."""
        self.code.position_at_end(after)
        values = list(found)
        out = self.code.phi(values[0][0].type)
        for value, block in values:
            out.add_incoming(value, block)
        return out

    def of_Call(self, e: ast.Call) -> Any:
        name, values = called(e), [self.value(a) for a in e.args]
        if name in self.extern:
            kinds = [KINDS[k] for k in self.extern[name].types]
            values = [self.real(v) if k == FLOAT else v for v, k in zip(values, kinds, strict=True)]
            return self.code.call(self.named(self.extern[name].symbol, kinds), values)
        if name == "int":
            return self.code.fptosi(values[0], INT)
        if name in ("min", "max"):  # the second if it is smaller (greater), as Python and numba
            a, b = values
            return self.code.select(self.compare("<" if name == "min" else ">", b, a), *self.alike(b, a))
        values = [self.real(v) for v in values]
        if name == "float":
            return values[0]
        if name == "pow":
            return self.power(*values)
        if name in LIBM:
            return self.code.call(self.named(name, [FLOAT]), values)
        return self.code.call(self.named(f"llvm.{INTRINSICS[name]}.f64", [FLOAT]), values)

    def named(self, name: str, kinds: list[Any]) -> Any:
        return self.module.globals.get(name) or ir.Function(self.module, ir.FunctionType(FLOAT, kinds), name)

    def power(self, a: Any, b: Any) -> Any:
        return self.code.call(self.named("llvm.pow.f64", [FLOAT, FLOAT]), [a, b])

    def operate(self, op: ast.operator, a: Any, b: Any) -> Any:
        code = self.code
        if type(op) in _BITS:
            bits = getattr(code, _BITS[type(op)])
            return bits(a, b) if a.type == b.type == INT else bits(self.truth(a), self.truth(b))
        if isinstance(op, ast.Pow):
            return self.power(self.real(a), self.real(b))
        if isinstance(op, ast.Div):
            return code.fdiv(self.real(a), self.real(b))
        a, b = self.alike(a, b)
        if a.type == INT and isinstance(op, ast.Mult):
            return code.mul(a, b)  # modulo 2^64
        if a.type == INT:
            return (code.add if isinstance(op, ast.Add) else code.sub)(a, b, flags=["nsw"])
        real: dict[type, Callable[..., Any]] = {ast.Add: code.fadd, ast.Sub: code.fsub, ast.Mult: code.fmul}
        return real[type(op)](a, b)

    def compare(self, word: str, a: Any, b: Any) -> Any:
        a, b = self.alike(a, b)
        if a.type == INT:
            return self.code.icmp_signed(word, a, b)
        ordered = self.code.fcmp_unordered if word == "!=" else self.code.fcmp_ordered
        return ordered(word, a, b)

    def alike(self, a: Any, b: Any) -> tuple[Any, Any]:
        """Both int64, or both float64."""
        if FLOAT in (a.type, b.type):
            return self.real(a), self.real(b)
        return self.whole(a), self.whole(b)

    def whole(self, x: Any) -> Any:
        return self.code.zext(x, INT) if x.type == BOOL else x

    def real(self, x: Any) -> Any:
        if x.type == FLOAT:
            return x
        return self.code.sitofp(x, FLOAT) if x.type == INT else self.code.uitofp(x, FLOAT)

    def truth(self, x: Any) -> Any:
        if x.type == BOOL:
            return x
        if x.type == INT:
            return self.code.icmp_signed("!=", x, INT(0))
        return self.code.fcmp_unordered("!=", x, FLOAT(0.0))


def called(e: ast.expr) -> str:
    """The name of the function that is called, or ""."""
    return e.func.id if isinstance(e, ast.Call) and isinstance(e.func, ast.Name) else ""
