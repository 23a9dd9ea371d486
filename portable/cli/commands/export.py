"""`portable export`."""

from __future__ import annotations

from portable.cli.command import Command, Given, Options, option


def _own(given: Given) -> Options:
    del given
    return {
        "format": option(
            "format",
            str,
            "neuroml",
            "--format",
            "-f",
            help="neuroml: NeuroML 2 with the LEMS file that runs it.",
        ),
        "out": option(
            "out",
            str,
            ...,
            "--out",
            "-o",
            metavar="DIR",
            help="The folder for the files; made if it is not there.",
        ),
        "simulation": option(
            "simulation",
            bool,
            True,
            "--simulation/--no-simulation",
            help="Also the LEMS file that runs the network for --duration and records what it records.",
        ),
        "inputs": option(
            "inputs",
            str,
            "frozen",
            "--inputs",
            help="Poisson trains: frozen (written out for --duration), native (drawn by the simulator).",
        ),
        "types": option(
            "types",
            str,
            "auto",
            "--types",
            help="auto (NeuroML's cells where they do the same), core (also where nearly the same), "
            "custom (own types only).",
        ),
        "timing": option(
            "timing",
            str,
            "steps",
            "--timing",
            help="steps (jLEMS at --dt spikes in our steps) or nominal (the model's numbers as they are).",
        ),
        "hdf5_above": option(
            "hdf5_above",
            int,
            10_000,
            "--hdf5-above",
            min=0,
            metavar="N",
            help="Write HDF5, in float32, for more than N connections.",
        ),
    }


COMMAND = Command(
    name="export",
    does="portable.cli.export:export",
    summary="Write MODEL for other software: NeuroML 2 and LEMS, which jNeuroML runs with the same spikes.",
    options=(
        "format",
        "out",
        "simulation",
        "duration",
        "dt",
        "seed",
        "inputs",
        "types",
        "timing",
        "hdf5_above",
        "as_json",
        "debug",
    ),
    own=_own,
    model="needed",
)
