"""What `import portable` and the description of a network load. Run in fresh interpreters; how long it takes is benchmarks/import_time.py."""

import json
import subprocess
import sys

import pytest

SIMULATORS = {"nest", "brian2", "neuron", "pynestml", "pyNN", "Cython"}
HEAVY = {"numba", "llvmlite", "scipy", "matplotlib", "sympy", "neo", "quantities", "lxml", "yaml", "typer", "rich"}

DECLARE = """
import portable as pt
exc = pt.Population("exc", 8, pt.IF_curr_exp(tau_m="20 ms"), initial={"v": pt.Uniform(-65, -50)})
noise = pt.Population("noise", 8, pt.SpikeSourcePoisson(rate="20 Hz"))
pt.Network("n", [exc, noise], [pt.Projection(noise, exc, pt.OneToOne(), pt.StaticSynapse(0.1, 1.0))], recordings=[pt.Record(exc)])
"""
EVERYTHING = """
import importlib, pkgutil, portable
for name in portable.__all__:
    getattr(portable, name)
for module in pkgutil.walk_packages(portable.__path__, "portable."):
    if not module.name.endswith((".execute", "__main__")):
        importlib.import_module(module.name)
"""


def loaded(code: str) -> set[str]:
    """Top-level modules that are loaded after running `code` in a new interpreter, less those that an empty one has."""
    report = "\nimport json, sys\nprint(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_loads_nothing_heavy():
    found = loaded("import portable")
    assert "portable" in found
    assert not found & (SIMULATORS | HEAVY | {"numpy"})


def test_declaring_a_network_loads_no_simulator_and_nothing_that_only_a_run_needs():
    assert not loaded(DECLARE) & (SIMULATORS | HEAVY)


def test_no_module_but_execute_imports_a_simulator():
    """Every public name and every module of the package, lowering included, in one interpreter."""
    found = loaded(EVERYTHING)
    assert {"numba", "portable"} <= found  # the check looked at something
    assert not found & SIMULATORS


@pytest.mark.parametrize("code", ["import nest", "import brian2"])
def test_the_check_would_see_a_simulator(code):
    """The way of looking is right: a simulator that is imported is seen."""
    module = code.split()[1]
    pytest.importorskip(module)
    assert module in loaded(code)
