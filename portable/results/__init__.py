"""What a run gives: tables of spikes and traces, their statistics, their files, and neo."""

from portable.results.tables import Results, SpikeTable, TraceTable, sorted_spikes

__all__ = ["Results", "SpikeTable", "TraceTable", "sorted_spikes"]
