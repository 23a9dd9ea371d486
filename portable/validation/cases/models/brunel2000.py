"""The sparse network of N. Brunel (2000), doi:10.1023/A:1008925309027, in the four regimes of its figure 8.

As examples/brunel2000.py, which explains each number.
"""

from __future__ import annotations

from portable.library.cells import IF_curr_delta
from portable.model.connectors import FixedInDegree, OneToOne, StaticSynapse
from portable.model.network import Network, Population, Projection, Record
from portable.model.sources import SpikeSourcePoisson
from portable.model.values import Uniform

# g (inhibitory over excitatory weight) and nu_ext / nu_thr of figure 8 A to D.
REGIMES = {"SR": (3.0, 2.0), "SI_fast": (6.0, 4.0), "AI": (5.0, 2.0), "SI_slow": (4.5, 0.9)}
TAU, THETA, RESET, REFRACTORY = 20.0, 20.0, 10.0, 2.0  # ms, mV, mV, ms; from rest
J, C_E, C_I, DELAY = 0.1, 1000, 250, 1.5  # mV, connections of a cell from E and from I, ms
EXC, INH = 10000, 2500  # cells at scale 1
THRESHOLD_RATE = (
    1000.0 * THETA / (J * C_E * TAU)
)  # nu_thr, Hz: the external rate whose mean alone reaches THETA


def brunel2000(regime: str, scale: float = 0.2) -> Network:
    """The cells of the paper times `scale`, each with all of its C_E + C_I connections."""
    g, drive = REGIMES[regime]
    cell = IF_curr_delta(
        v_rest="0 mV",
        tau_m=f"{TAU} ms",
        v_thresh=f"{THETA} mV",
        v_reset=f"{RESET} mV",
        tau_refrac=f"{REFRACTORY} ms",
    )
    start = {"v": Uniform(f"{RESET} mV", f"{THETA} mV")}
    cells = [
        Population("exc", round(EXC * scale), cell, start),
        Population("inh", round(INH * scale), cell, start),
    ]
    external = SpikeSourcePoisson(rate=f"{drive * THRESHOLD_RATE * C_E} Hz")
    noise = [Population(f"noise_{p.name}", p.size, external) for p in cells]
    up, down = (StaticSynapse(weight=f"{w} mV", delay=f"{DELAY} ms") for w in (J, -g * J))
    projections = []
    for target, source in zip(cells, noise, strict=True):
        projections += [
            Projection(cells[0], target, FixedInDegree(C_E), up, receptor="excitatory"),
            Projection(cells[1], target, FixedInDegree(C_I), down, receptor="inhibitory"),
            Projection(source, target, OneToOne(), up, receptor="excitatory"),
        ]
    return Network(
        f"brunel2000_{regime}", [*cells, *noise], projections, recordings=[Record(p, "spikes") for p in cells]
    )
