"""jLEMS step by step: forward Euler over the tree of instances, children first, with the lag of requirements
that this brings.

An import can so be proved apart from integration error: what this gives and what jLEMS writes agree to
rounding. The order of operations is that of jLEMS 0.14.0 (the `jNeuroML` jar of pyneuroml), found by reading
it and checked against its output.
"""
