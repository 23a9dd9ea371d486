"""`portable rules`."""

from __future__ import annotations

from portable.cli.command import Command

COMMAND = Command(
    name="rules",
    does="portable.cli.rules:rules",
    summary="""Show the library's rules of plasticity: equations, units, papers, names in NEST and PyNN.

    \b
    Examples:
      portable rules
      portable rules VogelsSprekeler
      portable rules STDP --json

    A rule is text. Traces of the source and of the target decay between spikes; at a spike, on_post and
    on_pre change the weight, which stays within its bounds, and then the traces jump. Without NAME a table
    of all, with NAME one in full: what is shown is what runs, and what you would give to pt.synapse_type
    to change it.""",
    options=("as_json", "debug"),
    word="A rule: STDP, Triplet, ... Left out, all are listed.",
)
