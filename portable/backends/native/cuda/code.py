"""Source of the kernel of a network: a loop over steps, in it the functions of deliver.py and, for each group
of cells, the body that codegen.py writes for its type, for one cell a thread. Pure text.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence

from portable.backends.native.codegen import CellCode
from portable.backends.native.layout import BLOCK, Layout
from portable.backends.native.tables import SLICE
from portable.dynamics.steps import Code, Lines, local

ARRAYS = (
    "F", "A", "C", "S", "rows", "segments", "targets", "weights", "equal", "kinds", "delays", "drives",
    "sources", "thresholds", "table", "amounts", "train_ids", "currents", "times", "amplitudes", "places",
    "columns", "traces", "trace_cells", "trace_columns", "values", "kept",
)  # fmt: skip
OWN = ("spikes", "counts", "train_at", "ids", "stamps", "many")  # arrays that only the device has
HEAD = """\
from math import *  # noqa: E402


@cuda.jit
def run({arguments}, first, steps, begin, cells, dt):
    grid = cuda.cg.this_grid()
    me, total = cuda.grid(1), cuda.gridsize(1)
    record = (ids, stamps, many)
    for j in range(steps):
        step = first + j
        stamp = step + 1
        if me == 0:
            counts[stamp & (counts.size - 1)] = 0
        inject(step, currents, times, amplitudes, places, columns, F, me, total)
        deliver(stamp, spikes, counts, delays, kinds, rows, segments, targets, weights, equal, A, cells)
        grid.sync()
"""
TAIL = """\
        grid.sync()
        sample(traces, trace_cells, trace_columns, stamp, begin, F, values, me, total)
"""
POISSON = """\
        row = sources[S[{s}, {fields}]]
        for c in range(me, S[{s}, {valid}], total):
            for _ in range(poisson(row, stamp, S[{s}, {first}] + c, thresholds, table)):
                fire(S[{s}], c, stamp, spikes, counts, kept, record)
"""
TRAINS = """\
        for q in range(train_at[{s}, j] + me, train_at[{s}, j + 1], total):
            fire(S[{s}], train_ids[q], stamp, spikes, counts, kept, record)
"""


class DeviceCode(CellCode):
    """The body of the update of one cell, `c` of slice `s`."""

    def __init__(self, layout: Layout, s: int) -> None:
        super().__init__(layout)
        self.s = s

    def body(self) -> str:
        """With every product rounded by itself, as on a processor."""
        code = Code()
        self.lane(code)
        if self.flat.conditions and self.end_test():
            code.add("if found:")
            code.depth = 1
            self.lane_conditions(code)
        return ast.unparse(_Rounded().visit(ast.parse(str(code))))

    def send(self, code: Lines, deeper: int, once: str) -> None:
        fired = f"fire(S[{self.s}], c, stamp, spikes, counts, kept, record)"
        code.add(*([f"if not {once}: {fired}", f"{once} = True"] if once else [fired]), deeper=deeper)


class _Rounded(ast.NodeTransformer):
    """Products become calls of `product`; functions of numbers their values, which are the processor's."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = getattr(math, node.func.id, None) if isinstance(node.func, ast.Name) else None
        if function is not None and all(isinstance(a, ast.Constant) for a in node.args):
            return ast.Constant(function(*(a.value for a in node.args if isinstance(a, ast.Constant))))
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Mult):
            return ast.Call(ast.Name("product", ast.Load()), [node.left, node.right], [])
        return node


def cells(layout: Layout, s: int, driven: bool) -> str:
    """The part of the loop for a group of cells, slice `s`; `driven`: Poisson sources of one target each."""
    size, code = BLOCK * len(layout.fields), Code()
    row = f"S[{s}, "
    code.add(
        *(f"{local(n)} = C[{row}{SLICE.scalars}] + {i}]" for i, n in enumerate(layout.scalars)),
        f"for c in range(me, {row}{SLICE.valid}], total):",
    )
    code.depth = 1
    if driven:
        code.add(f"drive({s}, c, stamp, drives, sources, thresholds, table, amounts, A)")
    code.add(
        f"b, i, start, found = c >> {BLOCK.bit_length() - 1}, c & {BLOCK - 1}, step * dt, 0",
        "t_ = start",
        f"at = {row}{SLICE.fields}] + b * {size}",
        f"block = F[at : at + {size}]",
    )
    for k in range(len(layout.channels)):
        low = f"{k} * cells + {row}{SLICE.arrivals}] + b * {BLOCK}"
        code.add(f"arrivals{k} = A[{low} : {low} + {BLOCK}]")
    return str(code) + "\n" + _deeper(DeviceCode(layout, s).body(), 1)


def source(slices: Sequence[Layout | str], driven: frozenset[int]) -> str:
    """What follows deliver.py's text in the module. slices: a layout, "poisson" or "trains"; driven: those
    of cells that drives reach."""
    text = HEAD.format(arguments=", ".join((*ARRAYS, *OWN)))
    columns = {"fields": SLICE.fields, "valid": SLICE.valid, "first": SLICE.first}
    for s, what in enumerate(slices):
        if isinstance(what, Layout):
            text += _deeper(cells(what, s, s in driven), 2) + "\n"
        else:
            text += {"poisson": POISSON, "trains": TRAINS}[what].format(s=s, **columns)
    return text + TAIL


def _deeper(text: str, by: int) -> str:
    return "\n".join("    " * by + line if line else line for line in text.splitlines())
