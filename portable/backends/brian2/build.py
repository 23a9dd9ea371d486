"""Building the plan's objects in Brian2: groups, synapses, preferences.

Order of a step: schedule start, synapses, groups, thresholds, resets, end. A spike found in thresholds of
Brian2's step k has the stamp k + 1; pathways push it in the synapses slot of step k + 1, so a delay of d
steps is d - 1 here, and arrivals are summed into a buffer that the group's code adds in the same step.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from portable import caches
from portable.backends.brian2.plan import Learned, Neurons, Synapse, mangled
from portable.dynamics.steps import SIZE, local
from portable.errors import BackendUnavailable
from portable.resolve.program import PerCell

try:
    import brian2
    from brian2.core.spikesource import SpikeSource
    from brian2.core.variables import Variables
    from brian2.devices.device import RuntimeDevice
    from brian2.groups.group import Group
except Exception as error:  # an installed Brian2 can also fail on a numpy that it does not know
    raise BackendUnavailable(
        f"backend 'brian2': Brian2 cannot be imported ({type(error).__name__}: {error}); "
        "install it with pip install 'portable-snn[brian2]' (Brian2 2.9 needs numpy < 2.4, this is "
        f"{np.__version__})"
    ) from error

from portable.backends.brian2.functions import namespace

SCHEDULE = ["start", "synapses", "groups", "thresholds", "resets", "end"]
# Not -ffast-math: it changes results, and loading such a library makes the whole process flush denormals. No
# contraction of a*b + c either, so that all targets and the other backends round alike.
COMPILER = ["-w", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-std=c++11"]


@contextlib.contextmanager
def settings(target: str) -> Iterator[None]:
    """Brian2's global preferences for a build, put back afterwards."""
    prefs, log = brian2.prefs, logging.getLogger("brian2")
    wanted = {
        "codegen.loop_invariant_optimisations": False,
        "codegen.cpp.extra_compile_args_gcc": COMPILER,
        "codegen.runtime.cython.cache_dir": str(_cache()),
    }
    if target in ("cython", "numpy"):
        wanted["codegen.target"] = target
    before, level = {k: prefs[k] for k in wanted}, log.level
    try:
        log.setLevel(logging.ERROR)
        for k, v in wanted.items():
            prefs[k] = v
        yield
    finally:
        for k, v in before.items():
            prefs[k] = v
        log.setLevel(level)


def _cache() -> Path:
    # Compiler options are not part of Brian2's cache key, so its own folder may hold the same code built
    # otherwise.
    return caches.folder("brian2") / hashlib.sha256(" ".join(COMPILER).encode()).hexdigest()[:8]


class FrozenSource(Group, SpikeSource):  # type: ignore[misc]
    """A group whose spikes are put into its `_spikespace` from outside, any number per cell and step."""

    def __init__(self, n: int, clock: Any, name: str) -> None:
        Group.__init__(self, clock=clock, when="thresholds", order=0, name=name)
        self.events = {"spike": None}
        self.start, self.stop = 0, n
        self.variables = Variables(self)
        self.variables.create_clock_variables(self._clock)
        self.variables.add_constant("N", value=n)
        self.variables.add_arange("i", n)
        self.variables.add_array("_spikespace", size=n + 1, dtype=np.int32)
        self._enable_group_attributes()


def neuron_group(cells: Neurons, values: Mapping[str, PerCell], clock: Any) -> tuple[Any, list[Any]]:
    """(NeuronGroup, its code runners). Values that are one float are shared by all cells."""
    code = cells.code
    lines = (
        [f"{mangled('x', s)} : 1" for s in cells.flat.state_names]
        + [f"{mangled('in', p)} : 1" for p in code.buffers]
        + ["fired : boolean"]
    )
    lines += [f"{n} : 1" + (" (shared)" if np.ndim(v) == 0 else "") for n, v in values.items()]
    if code.refractory:
        lines += [
            "left : integer",
            "steps_left : integer" + (" (shared)" if np.ndim(cells.refractory) == 0 else ""),
        ]
    if code.injected:
        lines.append("i_ext : 1")
    stepper = code.function
    own = {local(SIZE): float(clock.dt_) * 1e3} if stepper and local(SIZE) in stepper.results else {}
    lines += [f"{n} : 1" for n in own]
    lines += [f"{mangled('u', n)} : 1" for n in code.linked]
    group = brian2.NeuronGroup(
        cells.size,
        "\n".join(lines),
        threshold="fired",
        namespace=namespace(code.function),
        name=cells.name,
        clock=clock,
    )
    runners = [
        group.run_regularly("\n".join(code.update), when="groups", name=f"{cells.name}_update", clock=clock)
    ]
    if code.after:
        runners.append(
            group.run_regularly(
                "\n".join(code.after), when="before_thresholds", name=f"{cells.name}_after", clock=clock
            )
        )
    for n, v in {**{mangled("x", s): v for s, v in cells.initial.items()}, **values, **own}.items():
        assign(group, n, v)
    if code.refractory:
        assign(group, "steps_left", cells.refractory)
    return group, runners


def assign(group: Any, name: str, value: Any) -> None:
    """Give a variable a value: in its memory, or, for a standalone program, in what the program does
    first.
    """
    if isinstance(brian2.get_device(), RuntimeDevice):
        array(group, name)[:] = value
    elif name == "delay":
        group.delay = value * brian2.second
    else:
        setattr(group, name, value)


def array(group: Any, name: str) -> npt.NDArray[Any]:
    """The memory behind a variable."""
    return np.asarray(group.variables[name].get_value())


def synapses(
    plan: Synapse,
    source: Any,
    target: Any,
    dt: float,
    clock: Any,
    general: bool,
    suffix: str = "",
    order: int = 0,
) -> Any:
    """One Synapses object with all its connections; `general` where its port's arrivals act one by one, after
    the update.
    """
    float32 = (
        not general
        and plan.weight is None
        and plan.learning is None
        and all(getattr(p.connections.weights, "dtype", None) == np.float32 for p in plan.parts)
    )
    w = "w : 1" + ("" if plan.learning else " (shared)" if plan.weight is not None else " (constant)")
    late = _late(plan)
    one_delay = {n: int(d - 1) * dt * brian2.ms for n, d in late.items() if np.ndim(d) == 0}
    made = brian2.Synapses(
        source,
        target,
        "\n".join([w, *(_variables(plan.learning, len(plan.parts)) if plan.learning else ())]),
        on_pre=_code(plan, "pre"),
        on_post=_code(plan, "post"),
        namespace=namespace(),
        name=plan.name + suffix,
        clock=clock,
        delay=one_delay or None,
        dtype={"w": np.float32} if float32 else None,
    )
    if general:
        made.pre.when, made.pre.order = "after_groups", order
    for i, pathway in enumerate(plan.learning.pathways if plan.learning else ()):
        if pathway.name != "pre":
            p = getattr(made, pathway.name)
            first = pathway.name == "post" or pathway.side == "signal"
            p.order = i - 10 if first else 10 + i  # those of what does not learn are -1
            if general and not first:
                p.when = "before_thresholds"
    one = len(plan.parts) == 1
    pre = [p.connections.sources().view(np.int32) for p in plan.parts]
    post = [p.connections.targets.astype(np.int32) for p in plan.parts]  # Brian2 takes signed integers only
    if not one or plan.parts[0].pre or plan.parts[0].post:
        pre = [
            np.add(a, p.pre, dtype=np.int32, casting="unsafe") for a, p in zip(pre, plan.parts, strict=True)
        ]
        post = [
            np.add(a, p.post, dtype=np.int32, casting="unsafe") for a, p in zip(post, plan.parts, strict=True)
        ]
    with settings("numpy"):  # no compiling of what happens once
        made.connect(i=pre[0] if one else np.concatenate(pre), j=post[0] if one else np.concatenate(post))
    if plan.weight is not None:
        assign(made, "w", plan.weight)
    else:
        assign(made, "w", _spread([p.connections.weights for p in plan.parts], plan))
    for name, d in late.items():
        if name not in one_delay:
            assign(getattr(made, name), "delay", (np.asarray(d, dtype=np.float64) - 1) * (dt * 1e-3))
    if plan.learning:
        for n, v in {**plan.learning.values, **plan.learning.start, "on": 1.0}.items():
            assign(made, n, v)
        assign(made, "last", 1.0 * plan.learning.dendritic)
    return made


def _code(plan: Synapse, side: str) -> dict[str, str]:
    """Code of each pathway of one side, by Brian2's names. A third factor's, on which no spike of the source
    acts, are among those of "pre".
    """
    if plan.learning is None:
        return {"pre": "\n".join(plan.on_pre)} if side == "pre" else {}
    return {
        p.name: "\n".join(p.code) for p in plan.learning.pathways if (p.side == "post") == (side == "post")
    }


def _late(plan: Synapse) -> dict[str, Any]:
    """Steps after which each pathway acts, one or one for each connection."""
    d = plan.delay if plan.delay is not None else _spread([p.connections.delays for p in plan.parts], plan)
    if plan.learning is None:
        return {"pre": d}
    by_side = {"pre": d, "post": 2 * plan.learning.dendritic, "signal": 1}
    return {p.name: by_side[p.side] for p in plan.learning.pathways}


def _variables(learning: Learned, parts: int) -> list[str]:
    """Variables of connections that learn besides the weight."""
    shared = {n for n, v in learning.values.items() if np.ndim(v) == 0}
    lines = [f"{n} : 1" + (" (shared)" if n in shared else " (constant)") for n in learning.values]
    lines += [f"{n} : 1" for n in (*learning.start, "last")]
    lines.append("on : 1" + (" (shared)" if parts == 1 else ""))
    return lines + (["held : 1 (shared)", "early : 1 (shared)"] if learning.general else [])


def _spread(values: list[Any], plan: Synapse) -> Any:
    return (
        np.concatenate(
            [
                np.broadcast_to(np.asarray(v), p.connections.count)
                for v, p in zip(values, plan.parts, strict=True)
            ]
        )
        if len(values) > 1
        else np.asarray(values[0]).astype(np.float64, copy=False)
    )
