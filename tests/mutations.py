"""Texts with random mistakes in them, for the tests that a reader refuses or reads whatever it is given, and
for benchmarks/fuzz_neuroml.py.
"""

from __future__ import annotations

import copy
import random
import re
from typing import Any

from lxml import etree

VALUES = [
    "",
    "0",
    "-1",
    "1e400",
    "1e-320",
    "nan",
    "inf",
    "x",
    "0mV",
    "-1 ms",
    "1e300 s",
    "5 zork",
    "../p[0]",
    "../p/1/c",
    "a/b",
    "../../x",
    "[",
    "[*]",
    "99999999999999999999",
    "²",
    "µ",
    "random(1)",
    "1/0",
    "1 .gt. 2",
    "exp(1000)",
    "ln(0)",
    "factorial(170)",
    "((((",
    "v",
    "t",
    "weight",
    "true",
    "spike",
    "in",
    "network",
    "cell",
    "Component",
    "iafCell",
    "baseCell",
    "baseSynapse",
    "none",
    "voltage",
    "time",
    "*",
    "add",
    "//",
    "synapses[*]/i",
    "//i",
    "peer/v",
    "this",
    "parent",
]
_ATTRIBUTE = re.compile(r'([\w.]+)="([^"]*)"')
_ELEMENT = re.compile(r"<\w[^<>]*/>")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?")


def mutated(text: str, rng: random.Random) -> str:
    """The text with one to four changes: of characters, values, attributes, elements, where they stand, or
    its end cut off.
    """
    for _ in range(rng.randint(1, 4)):
        text = rng.choice(
            (_characters, _value, _value, _attribute, _number, _element, _tree, _tree, _tree, _cut)
        )(text, rng)
    return text


def _characters(text: str, rng: random.Random) -> str:
    i = rng.randrange(max(len(text), 1))
    return text[:i] + rng.choice("<>\"'&/= \x00é9a;\n[].*") + text[i + rng.randint(0, 2) :]


def _value(text: str, rng: random.Random) -> str:
    """A value becomes another one, mostly one that stands elsewhere in the text."""
    found = list(_ATTRIBUTE.finditer(text))
    if not found:
        return text
    m = rng.choice(found)
    new = rng.choice(found)[2] if rng.random() < 0.5 else rng.choice(VALUES)
    return text[: m.start(2)] + new + text[m.end(2) :]


def _attribute(text: str, rng: random.Random) -> str:
    """An attribute is left out, doubled at another place, or renamed."""
    found = list(_ATTRIBUTE.finditer(text))
    if not found:
        return text
    m, other = rng.choice(found), rng.choice(found)
    kind = rng.randrange(3)
    if kind == 0:
        return text[: m.start()] + text[m.end() :]
    if kind == 1:
        return text[: other.start()] + m[0] + " " + text[other.start() :]
    return text[: m.start(1)] + other[1] + text[m.end(1) :]


def _number(text: str, rng: random.Random) -> str:
    found = list(_NUMBER.finditer(text))
    if not found:
        return text
    m = rng.choice(found)
    return (
        text[: m.start()]
        + rng.choice(["0", "-1", "1e30", "1e-30", "1e308", "3", "nan", "0.5", "10"])
        + text[m.end() :]
    )


def _element(text: str, rng: random.Random) -> str:
    """An element without contents is left out, or stands somewhere else too."""
    found = list(_ELEMENT.finditer(text))
    if not found:
        return text
    m, at = rng.choice(found), rng.choice(found)
    return (
        text[: m.start()] + text[m.end() :]
        if rng.random() < 0.5
        else text[: at.start()] + m[0] + text[at.start() :]
    )


def _tree(text: str, rng: random.Random) -> str:
    """Any element with what is in it is left out, doubled, moved, or renamed."""
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"))
    except (etree.XMLSyntaxError, ValueError):
        return text
    every: list[Any] = [e for e in root.iter() if isinstance(e.tag, str)]
    if len(every) < 3:
        return text
    e, other = rng.choice(every[1:]), rng.choice(every)
    match rng.randrange(4):
        case 0:
            e.getparent().remove(e)
        case 1:
            other.append(copy.deepcopy(e))
        case 2:
            if e not in (other, *other.iterancestors()):
                other.append(e)
        case _:
            e.tag = rng.choice(every).tag
    return etree.tostring(root, encoding="unicode")


def _cut(text: str, rng: random.Random) -> str:
    return text[: rng.randrange(max(len(text), 1))] if rng.random() < 0.2 else text
