"""Every cell of the library, one cell with the same input on every installed backend: differences in voltage
and spike times.

    python benchmarks/single_cells.py [--backends reference,native,nest,brian2] [--duration 500]

The input is a step of current from 20 ms on and spikes on every receptor. Differences are to the first
backend: of v up to the first spike that differs, and of the n-th spikes. A second table compares with closed
forms.
"""

from __future__ import annotations

import argparse
import math
import warnings

import numpy as np

import portable as pt
from portable.backends import registry
from portable.library.cells import CELLS
from portable.validation.closed_form import lif_with_current, psp_alpha, psp_exponential
from portable.validation.single_cell import SingleCell, single_cell

DT = 0.1
TIMES = (
    50.0,
    52.5,
    60.0,
    61.3,
    120.0,
    121.0,
    122.0,
    180.7,
    240.0,
    300.1,
    301.0,
    350.0,
)  # ms, spikes on every receptor
# current (nA), weights of the two receptors: enough for several spikes
INPUT = {
    "IF_curr_exp": (0.9, {"excitatory": 0.5, "inhibitory": -0.3}),
    "IF_curr_alpha": (0.9, {"excitatory": 2.0, "inhibitory": -1.0}),
    "IF_curr_delta": (0.9, {"excitatory": 2.0, "inhibitory": -1.0}),
    "IF_cond_exp": (0.9, {"excitatory": 0.005, "inhibitory": 0.005}),
    "IF_cond_alpha": (0.9, {"excitatory": 0.05, "inhibitory": 0.02}),
    "EIF_cond_exp_isfa_ista": (1.0, {"excitatory": 0.005, "inhibitory": 0.005}),
    "Izhikevich": (0.01, {"excitatory": 2.0, "inhibitory": -1.0}),
    "HH_cond_exp": (0.5, {"excitatory": 0.005, "inhibitory": 0.005}),
}
CM, TAU, TAU_SYN, REST, RESET, THRESHOLD, REFRACTORY = (
    200.0,
    20.0,
    5.0,
    -65.0,
    -68.0,
    -50.0,
    2.0,
)  # pF, ms, ms, mV, mV, mV, ms


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backends", default=",".join(registry.installed()))
    parser.add_argument("--duration", default="500", help="ms")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    backends = given.backends.split(",")
    print(
        f"{'cell':24}{'backend':12}{'spikes':>7}  {'largest |dv| (mV)':>18}  {'spike times (ms)':>17}  method"
    )
    for name, cell in CELLS.items():
        current, weights = INPUT[name]
        found = single_cell(
            cell,
            backends,
            current=current,
            weights=weights,
            spike_times=TIMES,
            duration=f"{given.duration} ms",
            dt=DT,
        )
        for backend in backends:
            print(f"{name:24}{backend:12}{_row(found, backend)}", flush=True)
    print(f"\n{'closed form':24}{'backend':12}{'largest |dv| (mV)':>18}  spike times")
    for backend in backends:
        for label, gap, spikes in closed_forms(backend):
            print(f"{label:24}{backend:12}{gap:18.2e}  {spikes}")


def _row(found: SingleCell, backend: str) -> str:
    if backend in found.failures:
        return f"could not run: {found.failures[backend].splitlines()[-1].strip()}"
    results = found.results[backend]
    method, spikes = results.provenance["integrators"].get("cell", ""), len(results.spikes["cell"])
    if backend not in found.pairs:
        return f"{spikes:7}  {'first':>18}  {'':>17}  {method}"
    loop = found.pairs[backend]
    gap = (
        "identical"
        if loop.pair.identical
        else "other number"
        if math.isnan(loop.spike_time_difference)
        else f"{loop.spike_time_difference:g}"
    )
    return f"{spikes:7}  {loop.pair.traces[0].before:18.2e}  {gap:>17}  {method}"


def closed_forms(backend: str) -> list[tuple[str, float, str]]:
    """(case, largest difference in v in mV, "identical" or what differs in spike times)."""
    about = {
        "cm": f"{CM} pF",
        "tau_m": TAU,
        "v_rest": REST,
        "v_reset": RESET,
        "v_thresh": THRESHOLD,
        "tau_refrac": REFRACTORY,
    }
    dc = single_cell(pt.IF_curr_exp(**about), [backend], current="250 pA", duration="300 ms", dt=DT)
    out = []
    if backend in dc.results:
        got = dc.results[backend]
        v, spikes = lif_with_current(
            3000,
            DT,
            200,
            250.0,
            rest=REST,
            reset=RESET,
            threshold=THRESHOLD,
            tau=TAU,
            capacitance=CM,
            refractory=20,
        )
        same = (
            "identical"
            if np.array_equal(spikes, got.spikes["cell"].steps)
            else f"{spikes} and {got.spikes['cell'].steps}"
        )
        out.append(
            (
                "LIF, constant current",
                float(np.abs(got.traces["cell", "v"].values[:, 0] - v).max()),
                f"{same} ({spikes.size})",
            )
        )
    for label, kind, psp in (
        ("PSP, exponential", pt.IF_curr_exp, psp_exponential),
        ("PSP, alpha", pt.IF_curr_alpha, psp_alpha),
    ):
        one = single_cell(
            kind(tau_syn_E=TAU_SYN, **about),
            [backend],
            weights={"excitatory": "100 pA"},
            spike_times=[10.0],
            duration="150 ms",
            dt=DT,
        )
        if backend in one.results:
            trace = one.results[backend].traces["cell", "v"]
            out.append(
                (
                    label,
                    float(
                        np.abs(
                            trace.values[:, 0] - REST - psp(trace.times - 11.0, 100.0, TAU_SYN, TAU, CM)
                        ).max()
                    ),
                    "none",
                )
            )
    return out


if __name__ == "__main__":
    main()
