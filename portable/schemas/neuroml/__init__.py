"""NeuroML 2 and LEMS: reading, writing, checking."""
