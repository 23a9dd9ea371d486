"""The native engine's own draws against resolve.poisson: bit for bit, since frozen input must be the same on
every backend.
"""

from __future__ import annotations

import numpy as np
import pytest

from portable.backends.native import kernels
from portable.backends.native.sources import PoissonTables
from portable.resolve import poisson
from portable.resolve.program import PoissonGroup


def drawn(group: PoissonGroup, first: int, steps: int) -> np.ndarray:
    tables = PoissonTables({group.name: group}, 0.1)
    out = np.zeros((steps, -(-group.size // 64) * 64), dtype=np.int64)
    u, n = np.zeros(64, dtype=np.uint32), np.zeros(64, dtype=np.int32)
    for j in range(steps):
        for b in range(out.shape[1] // 64):
            kernels.poisson_counts(
                tables.sources[0], first + j, 64 * b, tables.thresholds, tables.table, u, n
            )
            out[j, 64 * b : 64 * b + 64] = n
    return out[:, : group.size]


@pytest.mark.parametrize("mean", [0.002, 0.8, 1.6, 12.0, 400.0])
def test_counts_of_equal_rates(mean):
    group = PoissonGroup("p", 131, mean / 0.1, 0, None, 0xFEDCBA9876543210)
    expected = poisson.counts(group, poisson.table(group, 0.1), 5, 200)
    assert expected.max() > 0
    np.testing.assert_array_equal(drawn(group, 5, 200), expected)


def test_counts_of_different_rates_and_late_steps():
    rates = np.repeat([0.0, 0.5, 3.0, 20.0], 33)
    group = PoissonGroup("p", rates.size, rates, 0, None, 12345)
    first = 2**33  # needs the upper half of the counter
    expected = poisson.counts(group, poisson.table(group, 0.1), first, 50)
    assert expected[:, :33].sum() == 0 < expected[:, 33:].sum()
    np.testing.assert_array_equal(drawn(group, first, 50), expected)


def test_the_place_of_a_step_among_the_times_of_a_current():
    times = np.array([7, 3, 10, 20, 5], dtype=np.int64)
    assert [kernels.before(times, 1, 4, k) for k in (2, 3, 9, 10, 19, 20, 99)] == [1, 2, 2, 3, 3, 4, 4]
