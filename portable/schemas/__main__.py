"""`python -m portable.schemas` writes the published JSON Schema anew from the table."""

from __future__ import annotations

import json
from pathlib import Path

from portable.schemas.table import FILE, json_schema

if __name__ == "__main__":
    Path(__file__).with_name(FILE).write_text(
        json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
