"""What generated code and the run loop share: the signatures of functions that are called by address."""

from __future__ import annotations

from numba import float64, int64

from portable.backends.addresses import OPTIONS, invoke, view

__all__ = ["ARRIVE", "OPTIONS", "READ", "STEP", "invoke", "view"]

# The functions of a type of cells (codegen.py). Addresses are int64.
# fields, blocks, arrivals, cells, scalars, step, dt, valid, hits, room -> spikes: `update` and `conditions`
STEP = int64(int64, int64, int64, int64, int64, int64, float64, int64, int64, int64)
# first field of the cell, scalars, weight, time of arrival -> nothing of use
ARRIVE = int64(int64, int64, float64, float64)
# fields, blocks, scalars, step, dt -> nothing of use
READ = int64(int64, int64, int64, int64, float64)
