"""Run as a program, in a process of its own: NESTML text files in a folder -> C++ in another.

    portable.backends.nest.codegen IN OUT MODULE (see process.py)

NESTML imports NEST and keeps global state, and its builder calls NEST's `nest-config`, which points to
folders of the machine that built the wheel; so only its code generator is used, and not in the user's
process. Prints NESTML's messages; exit code 1 if it refused the model. What it writes is changed in four
places: the scale of ports, calls of its random numbers, which become counter-based ones, the neuron that a
synapse is for (`anywhere`), and what includes what, so that MODULE.cpp is all there is to compile.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from portable.backends.nest import anywhere
from portable.resolve.draw_c import BODY, HEADER

_DRAWN = re.compile(
    r"\(\((\d+)\.?0?\) \+ \(1\.0?\) \* nest::get_vp_specific_rng\( get_thread\(\) \)->drand\(\)\)"
)
_DRAW = f"""#include <{HEADER}>
#ifndef PORTABLE_DRAW
#define PORTABLE_DRAW
static inline double portable_draw(double a, double b, double c, double d, double e) {BODY}
#endif
"""
_SCALED = re.compile(r"\(0\.001 \* (B_\.spike_inputs_grid_sum_\[[^\]]*\])\)")


def main(source: str, target: str, module: str) -> int:
    """Generate; 0 if it went well."""
    os.environ["PYNEST_QUIET"] = "1"
    from pynestml.frontend import pynestml_frontend as frontend
    from pynestml.utils.ast_utils import ASTUtils

    frontend.builder_from_target_name = lambda *_a, **_k: (None, {})
    if hasattr(ASTUtils, "collect_variables_affected_by_ports"):
        # what a synapse leaves to its neuron: nothing of ours, and to find that out takes half the time
        ASTUtils.collect_variables_affected_by_ports = staticmethod(lambda *_a, **_k: ([], []))
    models = [p.stem for p in sorted(Path(source).glob("*.nestml"))]
    synapses = [name for name in models if name.endswith("_synapse")]
    frontend.generate_target(
        input_path=source,
        target_platform="NEST",
        target_path=target,
        module_name=module,
        logging_level="ERROR",
        codegen_opts=anywhere.prepare(Path(source)),
    )
    files = sorted(Path(target).glob("portable_*_neuron.cpp"))
    for path in files:
        unscaled(path)
        drawn(path)
    main_file = Path(target, f"{module}.cpp")
    if len(files) != len(models) - len(synapses) or not main_file.exists():
        return 1
    if synapses:
        anywhere.freed(Path(target), main_file, synapses)
    together(main_file, files)
    return 0


def unscaled(path: Path) -> None:
    """NESTML reads a port as a rate in 1/s and writes it in 1/ms, a factor of 0.001 that rounds; our ports
    are sums of weights.
    """
    text = _SCALED.sub(r"\1", path.read_text(encoding="utf-8"))
    if "0.001 * B_" in text:
        raise SystemExit(f"this version of NESTML writes ports in a way that is not known: {path}")
    path.write_text(text, encoding="utf-8")


def drawn(path: Path) -> None:
    """random_uniform(n, 1) becomes call n of random(), a function of the population, the cell and the step
    (dynamics.random_calls).
    """
    text = path.read_text(encoding="utf-8")
    if "get_vp_specific_rng" not in text:
        return
    text = _DRAWN.sub(
        r"portable_draw(P_.key_low, P_.key_high, P_.place, origin.get_steps() + lag + 1, \1)", text
    )
    if "get_vp_specific_rng" in text:
        raise SystemExit(f"this version of NESTML writes random numbers in a way that is not known: {path}")
    path.write_text(re.sub(r"\A((?:.*\n)*#include.*\n)", lambda m: m[1] + _DRAW, text), encoding="utf-8")


def together(module: Path, models: Sequence[Path]) -> None:
    """The module's file includes the models': to read NEST's headers takes longer than to compile a model, so
    they are read once.

    nest_impl.h defines functions and has no guard: it comes with the module's own header, and models must not
    include it again.
    """
    for path in models:
        path.write_text(
            path.read_text(encoding="utf-8").replace('#include "nest_impl.h"\n', ""), encoding="utf-8"
        )
    with module.open("a", encoding="utf-8") as file:
        file.writelines(f'\n#include "{path.name}"\n' for path in models)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
