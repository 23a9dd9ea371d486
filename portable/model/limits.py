"""Limits that readers of files, and what makes a network of them, agree on."""

MAX_DELAY = 65535  # steps of delay: 16 bits a synapse
MAX_MEAN = 500.0  # spikes a step and source; above it exp(-mean) nears underflow, and no drive is like that
