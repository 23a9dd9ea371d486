"""Level 1: the same resolved network, and the same connections in the simulators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portable.model.network import Network
from portable.model.synapses import PlasticSynapse
from portable.units import Quantity
from portable.validation.levels.ran import Ran, of
from portable.validation.verdicts import (
    FAIL,
    NETWORK,
    NOT_RUN,
    PASS,
    LearningRule,
    LevelVerdict,
    NetworkCheck,
)

NOT_ASKED = "not read back for this seed"


def network_checks(runs: Sequence[Ran], reference: str, backend: str) -> list[NetworkCheck]:
    """One record for each seed that ran on both sides; of the reference too, against itself."""
    mine, theirs = of(runs, backend), of(runs, reference)
    return [_check(mine[s], theirs[s]) for s in sorted(mine.keys() & theirs.keys())]


def _check(mine: Ran, reference: Ran) -> NetworkCheck:
    held, same = mine.outcome.read_back, mine.outcome.program == reference.outcome.program
    if held is None:
        why = f"{mine.job.backend} cannot be asked what it holds" if mine.job.read_back else NOT_ASKED
        return NetworkCheck(
            mine.job.backend, mine.job.seed, mine.outcome.program, same, 0, 0, float("nan"), float("nan"), why
        )
    return NetworkCheck(
        mine.job.backend,
        mine.job.seed,
        mine.outcome.program,
        same,
        held.connections,
        held.missing,
        held.weight_error,
        held.delay_error,
    )


def rules_of(network: Network) -> tuple[LearningRule, ...]:
    """How the network's connections learn."""
    return tuple(
        LearningRule(
            p.name,
            p.synapse.type.name,
            {n: _text(v) for n, v in p.synapse.parameters.items()},
            _text(p.synapse.weight),
            p.synapse.dendritic_delay_fraction,
            p.synapse.type.source,
        )
        for p in network.projections
        if isinstance(p.synapse, PlasticSynapse)
    )


def same_network(
    checks: Sequence[NetworkCheck], absent: Sequence[str], backend: str, rules: Sequence[LearningRule] = ()
) -> LevelVerdict:
    """PASS if every program is the reference's and everything read back is as drawn; weights of connections
    that learn are those at the start.
    """
    if not checks:
        return LevelVerdict(NETWORK, backend, NOT_RUN, "no seed ran on both sides")
    read = [c for c in checks if not c.read_back]
    wrong = [c for c in checks if not c.same_program] + [c for c in read if c.same_program and not c.equal]
    score = 1.0 - len(wrong) / len(checks)
    if wrong:
        c = wrong[0]
        why = (
            "another resolved network"
            if not c.same_program
            else f"{c.missing} connections on one side only, weights off by up to {c.weight_error:.3g}, "
            f"delays by {c.delay_error:.3g} ms"
        )
        return LevelVerdict(NETWORK, backend, FAIL, f"seed {c.seed}: {why}", score)
    if not read:
        return LevelVerdict(
            NETWORK,
            backend,
            PASS,
            f"the same resolved network for {len(checks)} seed{'s' * (len(checks) != 1)}; "
            f"{checks[0].read_back}{_learning(rules)}",
            score,
        )
    folded = f", {len(absent)} projections that became part of the cells' code excepted" if absent else ""
    first = " before anything was learnt" if rules else ""
    told = (
        f"the same resolved network for {len(checks)} seed{'s' * (len(checks) != 1)}; "
        f"{read[0].connections:,} connections read back for seed {read[0].seed}{first}, all equal{folded}"
        f"{_learning(rules)}"
    )
    return LevelVerdict(NETWORK, backend, PASS, told, score)


def _text(v: Any) -> str:
    return f"{v.value:g} {v.unit}".removesuffix(" 1") if isinstance(v, Quantity) else f"{v}"


def _learning(rules: Sequence[LearningRule]) -> str:
    """ "; forward learns by STDP (tau_plus 20 ms, ...)"; rules that are alike once."""
    alike: dict[str, list[str]] = {}
    for r in rules:
        told = ", ".join(f"{n} {v}" for n, v in r.parameters.items())
        told += f", {r.dendritic:g} of the delay dendritic" if r.dendritic != 1.0 else ""
        alike.setdefault(f"{r.rule} ({told})", []).append(r.projection)
    return "".join(f"; {', '.join(n)} learn{'s' * (len(n) == 1)} by {how}" for how, n in alike.items())


def absent_of(runs: Sequence[Ran], backend: str) -> tuple[str, ...]:
    """Projections that the backend does not hold as connections."""
    return next(
        (r.outcome.read_back.absent for r in of(runs, backend).values() if r.outcome.read_back is not None),
        (),
    )
