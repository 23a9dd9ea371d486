"""The few lines that say what was wrong, out of the hundreds that jNeuroML, NMODL, a compiler or NEURON
print.
"""

from __future__ import annotations

import re

LINES = 6
WIDTH = 300
# Frames of a Java stack, logging, dumps of instances (|, +), boxes of stars, and the environment, which is
# nobody's business.
NOISE = re.compile(
    r"\s*(at [\w.$/]+\(|\.\.\. \d+ more|INFO (?!.*Error)|\(INFO\)|\|  (?!StateInstance)|\+--|\*+\s*$|>>> "
    r"JNML|jNeuroML v|Loading: |\w{3} \d+, \d{4} .* msg$|Warning: no DISPLAY|--No graphics)"
    r"|\s*$|\w+ \(\w+\)\s*(= .*)?$|Checking derived variable|    \w+ += |.*\(LOG\)|.*Environment "
    r"variables:|.*Options tried here|Current StateInstance"
)
JAVA_NAME = re.compile(
    r"(INFO .*?\(INFO\)\s*)?(SEVERE:\s*)?(\(ERROR\)\s*)?(Exception in thread \"\w+\" "
    r")?(\b[a-z]+(\.\w+)+\.(\w+)(?=: ?)(: ?))?"
)
ERROR = re.compile(
    r"error|exception|SEVERE|can't|cannot|could not|does not exist|NEURON: |Infinity|NaN|Traceback",
    re.IGNORECASE,
)


def complaint(text: str) -> str:
    """The first lines that name an error, with the innermost cause, without stacks and logging; the last
    lines printed where none does.
    """
    lines = [line.rstrip() for line in text.splitlines() if not NOISE.match(line)]
    first = next((i for i, line in enumerate(lines) if ERROR.search(line)), None)
    if first is None:
        kept, more = lines[-LINES:], 0
    else:
        causes = [
            line.removeprefix("Caused by: ") for line in lines[first + 1 :] if line.startswith("Caused by: ")
        ]
        told = [
            lines[first],
            *causes[-1:],
            *(line for line in lines[first + 1 :] if not line.startswith("Caused by: ")),
        ]
        kept, more = told[:LINES], max(0, len(told) - LINES)
    short = dict.fromkeys(_plain(line)[:WIDTH] for line in kept)
    return (
        "\n  ".join([line for line in short if line] + ([f"... and {more} more lines"] if more else []))
        or "it printed nothing"
    )


def _plain(line: str) -> str:
    found = JAVA_NAME.match(line)
    return line[found.end() :].strip(" *|") if found else line.strip(" *|")
