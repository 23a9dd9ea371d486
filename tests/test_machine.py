"""Machine code of generated functions, against Python's own reading of the same text, to the last bit."""

from __future__ import annotations

import ctypes
import itertools
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portable.backends.jlems import functions as jlems
from portable.backends.machine import library
from portable.backends.machine.extern import Extern, extern, factorial

NUMBERS = (0.0, -0.0, 0.5, 1.0, -1.5, 2.0, 3.25, 1e-300, -7e300, 709.0, math.inf, -math.inf, math.nan)
NAMES = (
    "exp", "log", "log10", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "expm1", "ceil", "floor",
)  # fmt: skip


def call(folder: Path, text: str, name: str, *arguments: int | float, **more: Any) -> int:
    """The result of the function in machine code."""
    floats = more.pop("floats", ())
    address = library.load(folder, text, more, floats)[name]
    types = [ctypes.c_double if isinstance(a, float) else ctypes.c_int64 for a in arguments]
    return int(ctypes.CFUNCTYPE(ctypes.c_int64, *types)(address)(*arguments))


def of_two(folder: Path, expression: str) -> Callable[[float, float], float]:
    """The expression of a and b, in machine code."""
    text = f"def f(out, a, b):\n    o = view(out, (1,), float64)\n    o[0] = {expression}\n    return 0\n"

    def value(a: float, b: float) -> float:
        out = np.zeros(1)
        call(folder, text, "f", out.ctypes.data, a, b, floats=("a", "b"))
        return float(out[0])

    return value


def bits(x: float) -> bytes:
    return b"nan" if math.isnan(x) else struct.pack("d", x)


@pytest.mark.parametrize(
    "expression",
    [
        "a + b", "a - b", "a * b", "-a", "a + 2 * b", "(a if a > b else b)", "(1.0 if a == b else 0.0)",
        "(1.0 if a != b else 0.0)", "(1.0 if a <= b else 0.0)", "(1.0 if not (a >= b) else 0.0)",
        "min(a, b)", "max(a, b)", "abs(a)", "(2.0 if a < 1.0 and b < 1.0 else 3.0)", "float(1)",
        "(2.0 if a < 1.0 or b < 1.0 else 3.0)", "(2.0 if (a < 1.0) & (b < 1.0) else 3.0)",
        "(2.0 if (a < 1.0) | (b < 1.0) else 3.0)", "(1 if a < b else 2.5)", "((a > b) + 1) * 0.5",
    ],
)  # fmt: skip
def test_expressions_are_those_of_python(tmp_path: Path, expression: str) -> None:
    """Signs of zeros, infinities and nan included. `eval` reads the texts above: Python's own reading is what
    ours is held to.
    """
    made = of_two(tmp_path, expression)
    for a, b in itertools.product(NUMBERS, NUMBERS):
        assert bits(made(a, b)) == bits(float(eval(expression, {}, {"a": a, "b": b}))), (a, b)


@pytest.mark.parametrize("name", NAMES)
def test_functions_are_those_of_libm(tmp_path: Path, name: str) -> None:
    made = of_two(tmp_path, f"{name}(a)")
    for a in (0.1, 0.5, 0.9999, 1.0, 1.7, 12.25):
        assert bits(made(a, 0.0)) == bits(float(getattr(math, name)(a))), a


def test_divisions_powers_and_what_is_no_number(tmp_path: Path) -> None:
    """As IEEE 754 and C have them, where Python would raise an error."""
    divided, powered = of_two(tmp_path, "a / b"), of_two(tmp_path, "a ** b")
    assert (divided(1.0, 0.0), divided(-1.0, 0.0), divided(1.0, 3.0)) == (math.inf, -math.inf, 1.0 / 3.0)
    assert math.isnan(divided(0.0, 0.0))
    assert (powered(2.0, 0.5), powered(1.1, 7.3), powered(0.0, -1.0)) == (2.0**0.5, 1.1**7.3, math.inf)
    assert math.isnan(powered(-2.0, 0.5))
    assert math.isnan(of_two(tmp_path, "log(a)")(-1.0, 0.0))
    assert of_two(tmp_path, "1 / 2")(0.0, 0.0) == 0.5


def test_long_sums(tmp_path: Path) -> None:
    """From the left, term by term."""
    value = of_two(tmp_path, "a" + " + b" * 2000)(1e17, 1.0)
    assert value == 1e17  # each 1.0 is lost; from the right they would make 2000
    assert of_two(tmp_path, "a" + " - b * 0.5" * 1000)(1.0, 1.0) == -499.0


def test_bits_of_whole_numbers(tmp_path: Path) -> None:
    text = "def f(n, m):\n    return (n >> 6) + 1000 * (n & 63) + 1000000 * (n | m)\n"
    assert call(tmp_path, text, "f", 200, 3) == 3 + 1000 * 8 + 1000000 * 203


LOOPS = """
def loops(numbers, n, small):
    x = view(numbers, (n,), float64)
    s = view(small, (3,), int32)
    total = 0
    found = 0.0
    for i in range(2, x.size):
        if x[i] < 0.0:
            continue
        if x[i] > 100.0: break
        total += 1
        found += x[i]
        k = 0
        while True:
            k = k + 1
            if k >= 3:
                break
        x[i] += k
    else_ = True
    if found > 5.0:
        s[0] = total
    elif found > 2.0:
        s[0] = -total
    else:
        pass
    s[1] = s[0] - 1
    s[2] = int(found)
    return total + s[1]
"""


@pytest.mark.parametrize(
    ("numbers", "small", "result"),
    [
        ([1.0, 2.0, 3.0, -1.0, 4.0, 200.0, 1.0], [2, 1, 7], 3),
        ([0.0, 0.0, 3.0], [-1, -2, 3], -1),
        ([0.0, 0.0], [0, -1, 0], -1),
    ],
)
def test_loops_and_arrays(tmp_path: Path, numbers: list[float], small: list[int], result: int) -> None:
    x, s = np.array(numbers), np.zeros(3, dtype=np.int32)
    assert call(tmp_path, LOOPS, "loops", x.ctypes.data, x.size, s.ctypes.data) == result
    assert s.tolist() == small
    grown = [v + 3.0 if i >= 2 and 0.0 <= v <= 100.0 and i < 5 else v for i, v in enumerate(numbers)]
    assert x.tolist() == grown


@extern("float64", "int64")
def multiple(x, n):  # type: ignore[no-untyped-def]
    return x * n


def test_what_another_library_gives_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address is asked for where the text calls it, and only there."""
    asked: list[str] = []
    plain = Extern.address
    monkeypatch.setattr(Extern, "address", lambda self: asked.append(self.symbol) or plain(self))
    text = "def f(n):\n    return int(twice(1.5, n))\n"
    assert call(tmp_path, text, "f", 4, twice=multiple, factorial=factorial) == 6
    assert asked == [multiple.symbol]


def test_functions_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """13! is beyond the 32-bit integers of jLEMS."""
    text = "def f(n):\n    return int(factorial(n))\n"
    assert call(tmp_path, text, "f", 13, factorial=factorial) == math.factorial(13)
    assert call(tmp_path, text, "f", 13, factorial=jlems.factorial) == 1932053504
    assert factorial.symbol != jlems.factorial.symbol


TEXT = "def f(a):\n    return a + 1\n"


def test_code_is_kept_and_a_damaged_file_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[int] = []
    plain = library.compiled
    monkeypatch.setattr(library, "compiled", lambda module: compiled.append(1) or plain(module))
    folder = tmp_path / "deep" / "cache"
    for damage, times in ((None, 1), (None, 1), (lambda data: data[:-3], 2), (lambda _: b"", 3)):
        monkeypatch.setattr(library, "_loaded", {})  # as in another process
        if damage:
            (file,) = folder.iterdir()
            file.write_bytes(damage(file.read_bytes()))
        assert call(folder, TEXT, "f", 41) == 42
        assert len(compiled) == times
        assert len(list(folder.iterdir())) == 1


def test_without_a_folder_code_is_made_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_loaded", {})
    (tmp_path / "file").touch()
    assert call(tmp_path / "file", TEXT, "f", 1) == 2
