"""A network as HDF5 (`.net.nml.h5`), in the layout that libNeuroML writes and jNeuroML reads. All its numbers
are float32.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from portable.resolve.program import Approximation
from portable.schemas.neuroml.write_network import InputList, Projection

MOST_IN_HEADER = (
    60_000  # bytes of an attribute in the first form of HDF5 files, whose object headers hold 64 KiB
)
LARGEST_ID = 2**24  # whole numbers above it are not exact in float32


def hdf5(
    name: str,
    populations: Sequence[tuple[str, str, int]],
    projections: Sequence[Projection],
    inputs: Sequence[InputList],
    rest: str,
) -> bytes:
    """The file. `rest` is the NeuroML document without its network, kept as text in an attribute, as
    libNeuroML does.
    """
    buffer = io.BytesIO()
    larger = (
        {"libver": ("v108", "v108")} if len(rest.encode()) > MOST_IN_HEADER else {}
    )  # the newest form that jNeuroML's library opens
    with h5py.File(buffer, "w", **larger) as file:
        root = file.create_group("neuroml")
        _say(root, id=name, notes="", GENERATED_BY="portable", neuroml_top_level=rest)
        network = root.create_group("network")
        _say(network, id=f"{name}_net", notes="")
        for identity, component, size in populations:
            made = network.create_group(f"population_{identity}")
            _say(made, id=identity, component=component, type="populationList")
            made.attrs["size"] = np.int64(size)
            _table(
                made, identity, {"x": np.arange(size), "y": 0, "z": 0}, size
            )  # jNeuroML reads connections to cells with a place only
        for p in projections:
            _connections(network, p)
        for x in inputs:
            _inputs(network, x)
    return buffer.getvalue()


def _say(group: Any, **texts: str) -> None:
    for key, value in texts.items():
        group.attrs.create(key, np.bytes_(value.encode()) if value else np.bytes_(b" "))


def _table(group: Any, name: str, columns: dict[str, Any], count: int) -> None:
    data = np.zeros((count, len(columns)), dtype="<f4")
    for k, values in enumerate(columns.values()):
        data[:, k] = values
    made = group.create_dataset(name, data=data, compression="gzip", compression_opts=4, shuffle=True)
    _say(made, **{f"column_{k}": column for k, column in enumerate(columns)})


def _connections(network: Any, p: Projection) -> None:
    made = network.create_group(f"projection_{p.id}")
    _say(
        made,
        id=p.id,
        type="projection",
        presynapticPopulation=p.pre,
        postsynapticPopulation=p.post,
        synapse=p.synapse,
    )
    _table(
        made,
        p.id,
        {"pre_cell_id": p.sources, "post_cell_id": p.targets, "weight": p.weights, "delay": p.delays},
        p.size,
    )


def _inputs(network: Any, x: InputList) -> None:
    made = network.create_group(f"inputList_{x.id}")
    _say(made, id=x.id, component=x.component, population=x.population)
    columns: dict[str, Any] = {
        "id": np.arange(x.targets.size),
        "target_cell_id": x.targets,
        "segment_id": 0,
        "fraction_along": 0.5,
    }
    _table(made, x.id, columns if x.weights is None else {**columns, "weight": x.weights}, x.targets.size)


def losses(projections: Sequence[Projection], inputs: Sequence[InputList], dt: float) -> list[Approximation]:
    """What float32 changes: the largest error of any weight, delay and input weight, computed from the
    arrays; positions above 2**24.
    """
    out = []
    for what, unit, arrays in (
        ("weights", "of the weight", [p.weights for p in projections]),
        ("delays", "ms", [p.delays for p in projections]),
        (
            "values that differ between cells",
            "of the value",
            [x.weights for x in inputs if x.weights is not None],
        ),
    ):
        worst = 0.0
        for a in arrays:
            x = np.atleast_1d(np.asarray(a, dtype=np.float64))
            if x.size:
                error = np.abs(x.astype(np.float32).astype(np.float64) - x)
                worst = max(
                    worst, float(np.max(error if unit == "ms" else error / np.maximum(np.abs(x), 1e-300)))
                )
        if worst:
            shown = f"{worst:.2g} {unit}" + (f", {worst / dt:.2g} steps" if unit == "ms" else "")
            out.append(
                Approximation(
                    what, "64 bits", "32 bits in the HDF5 file", shown, "NeuroML's HDF5 holds float32"
                )
            )
    top = max([int(max(p.sources.max(), p.targets.max())) for p in projections if p.size], default=0)
    if top >= LARGEST_ID:
        out.append(
            Approximation(
                "connections",
                "exact positions of cells",
                "positions above 2**24 rounded to even ones",
                "1 cell or more",
                "NeuroML's HDF5 holds float32; write XML",
            )
        )
    return out
