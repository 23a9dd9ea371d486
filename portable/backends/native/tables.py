"""The names of what the run loop reads: a part's arrays, and the columns of its tables. Pure, no numba.

They are all that a run reads and changes, and say nothing of where they or the code lie: but for `codes`, the
addresses of the functions that the tables name by number, a part's arrays are the same numbers anywhere.

A part's arrays reach compiled code as addresses and shapes: 50 array arguments would cost more to unpack and
to count references of than a step of a small network takes.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any, NamedTuple

DONE, DRAIN, GROW, OVERFLOW = range(
    4
)  # what `run` returns; DRAIN: the record is nearly full, GROW: the history
# kinds of slices; ALONE: cells whose arrivals are handled one by one; SLEEPING: those of events.py
POISSON, TRAINS, CELLS, ALONE, SLEEPING = range(5)


class Slice(NamedTuple):
    """Columns of `S`: what a part has of a group."""

    kind: int = 0
    fields: int = (
        1  # first of its fields in F; of Poisson sources the row of `sources`, of trains the first spike
    )
    blocks: int = 2  # of 64 cells; of trains the end of its spikes
    arrivals: int = 3  # place of its first cell in a buffer of arrivals
    scalars: int = 4  # place of its first scalar in C
    first: int = 5  # its first cell in the group
    source: int = 6  # source number of the group's first cell, or -1: it sends to nobody
    record: int = 7  # place of its first cell in `kept`, or -1: not recorded
    number: int = 8  # number of the group's first cell in the record
    valid: int = 9  # cells
    update: int = 10  # number of its code in `codes`
    conditions: int = 11  # likewise, of kind ALONE; `visit` of kind SLEEPING
    powers: int = 12  # place of what `visit` reads, of kind SLEEPING


class Kind(NamedTuple):
    """Columns of `kinds`: synapses that are delivered by one loop."""

    channel: int = 0  # or -1: handled one by one
    weight: int = 1  # row in `equal`, or -1: one for each synapse
    scalars: int = 2  # of the cells whose arrivals are handled one by one
    handler: int = 3  # number of the code that does it


class Part(NamedTuple):
    """Columns of `numbers`: what `run` has to know of a part beside its arrays."""

    reach: int = 0  # longest delay, steps
    ring: int = 1  # length of the ring of arrivals, less one
    reserve: int = 2  # recorded spikes between two exchanges, at most
    channels: int = 3
    cells: int = 4
    ahead: int = 5  # whether synapses are delivered as soon as spikes are known, into the ring


class Learn(NamedTuple):
    """Columns of `learning`: connections that learn, of one projection and one axonal delay
    (plastic_code.py). Places are in PI (int64), PF (float64), and PT and PL, which have an entry a synapse.
    """

    deliver: int = 0  # numbers of its code in `codes`
    note: int = 1  # or 0: spikes of targets do not matter
    flush: int = 2
    slice: int = 3  # row in `S` of the targets
    base: int = 4  # source number of its first source
    size: int = 5  # sources
    axonal: int = 6  # steps
    cell: int = 7  # place of the first target in a buffer of arrivals
    cells: int = 8
    channel: int = 9  # place of the channel in a buffer of arrivals
    synapses: int = 10
    targets: int = 11  # in PT and PL: local targets, whole delays
    rows: int = 12  # PI: first synapse of each source, and their number
    last: int = 13  # PI: stamp of each source's last spike
    ages: int = 14  # PI: instant of each synapse's states
    counts: int = 15  # PI: entries that each target's history has had
    starts: int = 16  # PI: the first of them that is still needed
    scalars: int = 17  # PF: dt, parameters
    tables: int = 18  # PF: decays by steps
    long: int = 19  # steps of each table
    weights: int = 20  # PF
    own: int = 21  # PF: states of the synapses, one after the other, then parameters that differ
    pre: int = 22  # PF: traces of the sources
    history: int = 23  # PF: entries of the targets' histories
    room: int = 24  # entries of each
    back: int = 25  # longest dendritic delay, steps
    on: int = 26  # whether weights change
    floor: int = 27  # instant up to which all synapses are, at least
    most: int = 28  # entries that are needed, of the fullest history
    hear: int = 29  # number of its code, or 0: there is no third factor
    signal_base: int = 30  # source number of the first cell of the third factor's population
    signal_size: int = 31
    signal_delay: int = 32  # steps
    heard: int = 33  # PF: entries of the third factor's history
    signal_room: int = 34
    signals: int = 35  # entries that it has had
    first_signal: int = 36  # the first of them that some synapse has not seen
    key0: int = 37  # halves of the stream of random()
    key1: int = 38
    nth: int = 39  # PI: number of each synapse among those of its pair
    first: int = 40  # the number in its population of the target whose place is `cell`


class State(NamedTuple):
    """Places in `state`."""

    exchanges: int = 0
    steps: int = 1  # since the last exchange
    kept: int = 2  # recorded spikes
    traced: int = 3  # step at which the present traces begin
    learned: int = 4  # instant up to which the clocks of synapses that learn have run


class Coupling(NamedTuple):
    """Columns of `couplings`."""

    reader: int = 0  # number of the code that computes what is read, or 0: it is there
    fields: int = 1
    blocks: int = 2
    scalars: int = 3
    low: int = 4  # of places
    high: int = 5


SLICE, KIND, PART, STATE, COUPLING, LEARN = Slice(), Kind(), Part(), State(), Coupling(), Learn()
# name -> (type, dimensions) of a part's arrays; "" = as the program's synapses have it.
ARRAYS: dict[str, tuple[str, int]] = {
    "state": ("int64", 1),
    "out": ("int32", 3),
    "ends": ("int64", 4),
    "flags": ("int64", 2),
    "sends": ("int64", 1),
    "S": ("int64", 2),
    "F": ("float64", 1),
    "A": ("float64", 1),
    "C": ("float64", 1),
    "hits": ("int32", 1),
    "todo": ("int32", 1),
    "awake": ("int32", 1),
    "mark": ("int64", 1),
    "since": ("int64", 2),
    "powers": ("float64", 1),
    "spikes": ("int32", 1),
    "position": ("int64", 1),
    "heads": ("int64", 1),
    "tails": ("int64", 1),
    "delays": ("int64", 1),
    "kinds": ("int64", 2),
    "rows": ("int64", 1),
    "segments": ("", 1),
    "targets": ("", 1),
    "weights": ("", 1),
    "equal": ("float64", 1),
    "lags": ("", 1),
    "where": ("int64", 1),
    "edges": ("int64", 2),
    "drives": ("int64", 2),
    "sources": ("int64", 2),
    "thresholds": ("uint32", 1),
    "table": ("int64", 2),
    "amounts": ("float64", 1),
    "u": ("uint32", 1),
    "n": ("int32", 1),
    "train_steps": ("int64", 1),
    "train_ids": ("int32", 1),
    "cursor": ("int64", 1),
    "kept": ("bool_", 1),
    "ids": ("int32", 1),
    "stamps": ("int64", 1),
    "traces": ("int64", 2),
    "trace_cells": ("int64", 1),
    "trace_columns": ("int64", 1),
    "values": ("float64", 1),
    "currents": ("int64", 2),
    "times": ("int64", 1),
    "amplitudes": ("float64", 1),
    "places": ("int64", 1),
    "columns": ("int64", 1),
    "cleared": ("int64", 2),
    "couplings": ("int64", 2),
    "link_from": ("int64", 1),
    "link_to": ("int64", 1),
    "learning": ("int64", 2),
    "PI": ("int64", 1),
    "PF": ("float64", 1),
    "PT": ("", 1),
    "PL": ("uint16", 1),
    "codes": ("int64", 1),
}
SYNAPSES = ("segments", "targets", "weights", "lags")
ROOM = 1024  # segments that are collected at a time
# the first functions of `codes`: delivery.py's, compiled for the types of the program's synapses
WAYS = ("as_due", "ahead_of_time", "one_by_one")
AS_DUE, AHEAD_OF_TIME, ONE_BY_ONE = range(1, 1 + len(WAYS))
_named: Any = namedtuple
AT = _named("At", ARRAYS)(*range(len(ARRAYS)))  # columns of the tables of addresses and shapes
