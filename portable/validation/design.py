"""What a validation is asked to do: checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from portable.backends import registry
from portable.errors import ModelError, suggestion
from portable.model.network import Network
from portable.options import check_arguments, run_time, step_size, time_step, whole_steps
from portable.units import milliseconds
from portable.validation.levels.ran import watched

POWERS = ("full", "quick", "none")
BASELINE = registry.DEFAULT  # the engine that deviations are put into
PROBED = 3  # seeds for which the reference is also run with its start changed by 1e-12


@dataclass(frozen=True)
class Design:
    """backends[0] is the reference. warmup (ms) is left out of statistics; margin: None for the reference's
    seed-to-seed spread, or a share of its mean. power: "full" (deviations, enlarged until the statistics see
    them), "quick" (as they are), "none". orders: run cells alone with smaller steps too."""

    network: Network
    backends: tuple[str, ...]
    seeds: tuple[int, ...]
    dt: float
    steps: int
    warmup: float
    inputs: str = "frozen"
    integrator: str = "auto"
    threads: int = 1
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    margin: float | None = None
    power: str = "full"
    orders: bool = True

    @property
    def reference(self) -> str:
        return self.backends[0]

    @property
    def duration(self) -> float:
        return float(round(self.steps * self.dt, 9))

    @property
    def mode(self) -> str:
        """ "paired" where every backend gets the same input, else "ensemble"."""
        return "paired" if self.inputs == "frozen" else "ensemble"


def design(
    network: Network,
    backends: str | Iterable[str],
    seeds: int | Iterable[int],
    duration: Any,
    dt: Any,
    *,
    warmup: Any = None,
    inputs: str = "frozen",
    integrator: str = "auto",
    threads: int = 1,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    margin: float | None = None,
    power: str = "full",
) -> Design:
    """Read and check. ModelError naming the argument, the rule, the value and the remedy; BackendNotFound for
    an unknown name.
    """
    names = registry.several(backends)
    check_arguments(threads, inputs, integrator)
    if inputs == "auto":
        raise ModelError(
            "inputs",
            "must be 'frozen' (the same trains on every backend, paired comparison) or 'native' (ensembles)",
            "choose one",
        )
    if power not in POWERS:
        raise ModelError(
            "power", f"must be one of {', '.join(POWERS)}, got {power!r}", suggestion(str(power), POWERS)
        )
    if margin is not None and not (isinstance(margin, (int, float)) and 0 < margin < 1):
        raise ModelError(
            "margin", f"must be a share of the mean between 0 and 1, got {margin!r}", "1 % is 0.01"
        )
    for name in options or {}:
        if name not in names:
            raise ModelError(
                f"options['{name}']", "is no backend of this validation", suggestion(name, names)
            )
    step = step_size(time_step(network, dt))
    steps = whole_steps(run_time(network, duration), step, "duration")
    if not watched(network):
        raise ModelError(
            "recordings",
            f"network '{network.name}' records no spikes of cells, so there is nothing to compare",
            "add pt.Record(population, 'spikes')",
        )
    length = steps * step
    left_out = min(0.1 * length, 500.0) if warmup is None else milliseconds(warmup, "warmup")
    if not 0 <= left_out < length:
        raise ModelError(
            "warmup",
            f"must be 0 ms or more and less than the duration of {length:g} ms, got {left_out:g} ms",
            "leave out the transient only",
        )
    return Design(
        network,
        names,
        _seeds(seeds),
        step,
        steps,
        left_out,
        inputs,
        integrator,
        threads,
        dict(options or {}),
        margin,
        power,
    )


def _seeds(given: int | Iterable[int]) -> tuple[int, ...]:
    """A number of seeds (1, 2, ...) or the seeds themselves."""
    if isinstance(given, int) and not isinstance(given, bool):
        if given < 1:
            raise ModelError(
                "seeds",
                f"must be a number of seeds of 1 or more, or a list, got {given}",
                "10 is a good number",
            )
        return tuple(range(1, given + 1))
    if isinstance(given, (str, bool)) or not isinstance(given, Iterable):
        raise ModelError("seeds", f"must be a number of seeds, or a list, got {given!r}", "for example 10")
    chosen = tuple(given)
    wrong = [s for s in chosen if isinstance(s, bool) or not isinstance(s, int) or s < 0]
    if not chosen or wrong or len(set(chosen)) < len(chosen):
        raise ModelError(
            "seeds",
            f"must be different whole numbers of 0 or more, got {list(chosen)}",
            "for example 10, or [1, 2, 3]",
        )
    return chosen
