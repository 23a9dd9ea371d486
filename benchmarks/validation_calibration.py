"""How often a validation calls a model different from itself: it must be rare, or no verdict means anything.

    python benchmarks/validation_calibration.py [--repeats 100] [--seeds 10] [--cells 1000] [--duration 500]

ensemble: two sets of seeds of one model, with other networks and inputs each, compared as `portable validate
--inputs native` does.
paired: one set of seeds against the same seeds with the start changed by 1e-4 of its value, so that most
spikes differ (`--inputs frozen`); that share is printed, since runs without a difference would show nothing.
Each row: how many of the repeats were called different, undecided or equivalent, by statistic, and how many
as a whole. The aim is at most 5 % called different.

Measured with CUBA of 1000 cells, 500 ms, 10 seeds, 100 repeats (2 cores, 11 min):
    ensemble    0 called different, 0 undecided, 100 equivalent
    paired      0 called different, 35 undecided, 65 equivalent; 4 % of the spikes of a pair are equal (mean)
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections import Counter
from pathlib import Path

from portable.model.network import Network
from portable.resolve import resolve
from portable.results import Results
from portable.validation.compare import run_program
from portable.validation.deviations import deviate
from portable.validation.levels.ran import lives, watched
from portable.validation.levels.same_spikes import spike_check
from portable.validation.levels.same_statistics import (
    Measured,
    ensemble_checks,
    measured,
    paired_checks,
    same_statistics,
)

CUBA = Path(__file__).parent.parent / "examples" / "cuba.py"


def cuba(cells: int) -> Network:
    spec = importlib.util.spec_from_file_location("cuba", CUBA)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network: Network = module.network(cells, 80 / cells)
    return network


def one(network: Network, seed: int, steps: int, start: bool = False) -> tuple[Measured, Results] | None:
    """Statistics of a run after a tenth of it; None if it fell silent."""
    program = resolve(network, seed, 0.1)
    results = run_program(
        network, deviate(program, "start", 1e8) if start else program, "native", steps, 1, "auto", None
    )
    return (measured(results, watched(network), 0.01 * steps), results) if lives(results) else None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--duration", type=float, default=500.0, help="ms")
    given = parser.parse_args()
    network, steps, began = cuba(given.cells), round(given.duration / 0.1), time.perf_counter()
    whole: dict[str, Counter[str]] = {"ensemble": Counter(), "paired": Counter()}
    parts: dict[str, Counter[tuple[str, str]]] = {"ensemble": Counter(), "paired": Counter()}
    equal: list[float] = []
    for k in range(given.repeats):
        first = 1 + 2 * given.seeds * k
        runs = [
            {s: m for s in range(low, low + given.seeds) if (m := one(network, s, steps, start)) is not None}
            for low, start in ((first, False), (first + given.seeds, False), (first, True))
        ]
        both = sorted(runs[0].keys() & runs[2].keys())
        equal += [spike_check(runs[0][s][1], runs[2][s][1]).equal for s in both]
        left, right, again = ({s: m for s, (m, _) in side.items()} for side in runs)
        for form, paired, ensembles in (
            ("ensemble", [], ensemble_checks(left, right)),
            ("paired", paired_checks(left, again, both, None), []),
        ):
            verdict = same_statistics(paired, ensembles, "native", form, True)
            whole[form][verdict.verdict] += 1
            for c in (*paired, *ensembles):
                parts[form][
                    f"{c.statistic}{' ' + c.measure if hasattr(c, 'measure') else ''}", c.verdict
                ] += 1
        print(
            f"{k + 1}/{given.repeats} {time.perf_counter() - began:.0f} s",
            dict(whole["ensemble"]),
            dict(whole["paired"]),
            flush=True,
        )
    print(
        f"\nshare of equal spikes in the pairs: mean {sum(equal) / len(equal):.3f}, largest {max(equal):.3f}"
    )
    for form in whole:
        print(
            f"\n{form}: {dict(whole[form])} of {given.repeats} validations; called different: "
            f"{100 * whole[form]['fail'] / given.repeats:.1f} %"
        )
        for name in dict.fromkeys(n for n, _ in parts[form]):
            print(
                f"  {name}: "
                + ", ".join(f"{v} {parts[form][name, v]}" for v in ("pass", "undecided", "fail"))
            )


if __name__ == "__main__":
    main()
