"""The report in short, as Markdown: for a pull request, a README or a terminal."""

from __future__ import annotations

import re

from portable.validation.report import power, tables, words
from portable.validation.report.view import SIGNS, Table, counted
from portable.validation.verdicts import LEVELS, NOT_RUN, Validation


def markdown(v: Validation, html_name: str = "") -> str:
    """Verdict, matrix, what it means, power, cost, approximations, failures, and the command to repeat."""
    parts = [
        f"# {SIGNS.get(v.verdict, '')} {_text(words.title(v))}".replace("#  ", "# "),
        _text(words.headline(v)),
        _text(words.question(v)),
        _matrix(v),
    ]
    for a in words.answers(v):
        parts += [
            f"## {_text(a.backend)}: {a.word}",
            "\n".join(_text(x) for x in (a.found, a.means, a.matters) if x),
        ]
        parts += [
            "\n".join(
                f"- level {x.level}, {x.name}: **{SIGNS[x.verdict]} {x.verdict}**. {_text(x.summary)}"
                for x in v.levels
                if x.backend == a.backend
            )
        ]
    parts += [
        "## What this design would have seen",
        _text(power.caught_sentence(v)),
        _text(power.power_sentence(v)),
    ]
    for table in (tables.deviations(v), tables.costs(v), tables.approximations(v), tables.failed(v)):
        parts += [f"## {_text(table.caption)}", _table(table)] if table.rows else []
    command = v.provenance.get("command")
    parts += ["## Again", _code(str(command))] if command else []
    seeds = (
        f"{counted(len(v.seeds), 'seed')}: {', '.join(map(str, v.seeds))}; model hash "
        f"`{_text(v.model_hash)}`."
    )
    parts += [seeds + (f" Figures and all tables: `{html_name}`." if html_name else "")]
    return "\n\n".join(p for p in parts if p) + "\n"


def _matrix(v: Validation) -> str:
    if len(v.backends) < 2:
        return ""
    rows = [["level", *v.backends[1:]]]
    for level, name in LEVELS.items():
        found = [v.level(level, b) for b in v.backends[1:]]
        rows.append(
            [
                f"{level} {name}",
                *(f"{SIGNS[x.verdict if x else NOT_RUN]} {words.matrix_cell(x)}" for x in found),
            ]
        )
    return _rows(rows)


def _table(t: Table) -> str:
    return _rows([list(t.columns), *([f"{c.sign} {c.text}".strip() for c in row] for row in t.rows)])


def _rows(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(_text(x) for x in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _text(text: str) -> str:
    """Text that means nothing to Markdown or HTML, on one line."""
    return (
        re.sub(r"([\\`*_\[\]<>|#~])", r"\\\1", " ".join(text.split()))
        .replace("\\<", "&lt;")
        .replace("\\>", "&gt;")
    )


def _code(text: str) -> str:
    fence = "`" * max(3, 1 + max((len(x) for x in re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"
