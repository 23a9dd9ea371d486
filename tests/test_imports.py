"""What `import portable` and the description of a network load. Run in fresh interpreters; how long it takes
is benchmarks/import_time.py.
"""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import portable
from portable.backends import registry

SIMULATORS = {"nest", "brian2", "neuron", "pynestml", "pyNN"}
HEAVY = {
    "numba",
    "llvmlite",
    "scipy",
    "matplotlib",
    "sympy",
    "neo",
    "quantities",
    "lxml",
    "yaml",
    "typer",
    "rich",
}

DECLARE = """
import portable as pt
exc = pt.Population("exc", 8, pt.IF_curr_exp(tau_m="20 ms"), initial={"v": pt.Uniform(-65, -50)})
noise = pt.Population("noise", 8, pt.SpikeSourcePoisson(rate="20 Hz"))
pt.Network("n", [exc, noise], [pt.Projection(noise, exc, pt.OneToOne(), pt.StaticSynapse(0.1, 1.0))], recordings=[pt.Record(exc)])
"""  # noqa: E501
EVERYTHING = """
import importlib, pkgutil, re, portable
for name in portable.__all__:
    getattr(portable, name)
for module in pkgutil.walk_packages(portable.__path__, "portable."):
    inner = re.match(r"portable\\.backends\\.\\w+\\.(\\w+)$", module.name)
    if module.name.endswith("__main__") or (inner and inner[1] not in ("lower", "plan")):
        continue  # in a backend's folder only what lowering needs must do without the simulator
    importlib.import_module(module.name)
"""


def loaded(code: str) -> set[str]:
    """Top-level modules that are loaded after running `code` in a new interpreter, less those that an empty
    one has.
    """
    report = "\nimport json, sys\nprint(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_loads_nothing_heavy():
    found = loaded("import portable")
    assert "portable" in found
    assert not found & (SIMULATORS | HEAVY | {"numpy"})


def test_declaring_a_network_loads_no_simulator_and_nothing_that_only_a_run_needs():
    assert not loaded(DECLARE) & (SIMULATORS | HEAVY)


def test_everything_up_to_lowering_imports_no_simulator():
    """Every public name and every module of the package, each backend's lowering included, in one
    interpreter.
    """
    found = loaded(EVERYTHING)
    assert {"numba", "portable"} <= found  # the check looked at something
    assert not found & SIMULATORS


@pytest.mark.parametrize("simulator", ["nest", "brian2"])
def test_the_check_would_see_a_simulator(simulator):
    """The way of looking is right: a simulator that a run has imported is seen."""
    if registry.get(simulator).version() is None:
        pytest.skip(f"{simulator} is not installed")
    assert simulator in loaded(f"import {simulator}")


def test_the_stub_names_what_the_package_has():
    """Type checkers and editors read `__init__.pyi`, Python reads `__init__.py`: the same names from the same
    modules, and each can be had.
    """
    folder = Path(portable.__file__).parent
    tree = ast.parse((folder / "__init__.pyi").read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    said = [f"from {node.module} import {a.name} as {a.asname}" for node in imports for a in node.names]
    public = portable._PUBLIC
    want = sorted(f"from {module} import {name} as {name}" for name, module in public.items())
    assert sorted(said) == want
    for name, module in public.items():
        assert getattr(portable, name) is getattr(importlib.import_module(module), name)


# A method of a table that gives another library's object, made in a module that reads the table.
FACADES = {("portable.results.tables", "portable.results.neo_block")}


def circles(edges):
    """Groups of modules that import each other, directly or through others, by Tarjan's algorithm."""
    number, lowest, waiting, found = {}, {}, [], []

    def visit(module):
        number[module] = lowest[module] = len(number)
        waiting.append(module)
        for other in edges[module]:
            if other not in number:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in waiting:
                lowest[module] = min(lowest[module], number[other])
        if lowest[module] == number[module]:
            group = waiting[waiting.index(module) :]
            del waiting[waiting.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in edges:
        if module not in number:
            visit(module)
    return found


def test_the_search_for_circles_finds_them():
    assert circles({"a": "b", "b": "c", "c": "b", "d": "abd"}) == [["b", "c"]]
    assert circles({"a": "b", "b": "c", "c": ""}) == []


def test_no_circle_of_files():
    """Imports inside functions and those for types count too: each of two files in a circle can only be read
    with the other.
    """
    grimp = pytest.importorskip("grimp")  # comes with import-linter
    graph = grimp.build_graph("portable", cache_dir=None)
    assert {(a, b) for a in graph.modules for b in graph.find_modules_directly_imported_by(a)} >= FACADES
    edges = {
        module: sorted(
            other
            for other in graph.find_modules_directly_imported_by(module)
            if (module, other) not in FACADES
        )
        for module in sorted(graph.modules)
    }
    assert circles(edges) == []
