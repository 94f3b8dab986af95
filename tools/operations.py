#!/usr/bin/env python3
"""Writes docs/operations.md from the table of operations in tuff/ops/table.cpp.

Usage: operations.py            prints the page
       operations.py --write    writes docs/operations.md
The tests check that the file is what this prints.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "tuff" / "ops" / "table.cpp"
RULES = ROOT / "tuff" / "ops" / "table.h"
PAGE = ROOT / "docs" / "operations.md"

TEXT = r'"((?:[^"\\]|\\.)*)"'
ROW = re.compile(r"\{E::\w+, " + TEXT + r", (\d), R::(\w+), " + TEXT + r"\}")
REDUCTION = re.compile(r"\{" + TEXT + r", Reduction::(\w+), " + TEXT + r"\}")
RULE = re.compile(r"^  (\w+), +///< (.*)$", re.MULTILINE)

HEAD = """# Operations

Made from the operation table by `tools/operations.py`; do not edit.

"""


def markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def page() -> str:
    table = TABLE.read_text(encoding="utf-8")
    operations = [
        [f"`{name}`", arity, rule, doc.replace("|", "\\|")]
        for name, arity, rule, doc in ROW.findall(table)
    ]
    reductions = [[f"`{name}`", f"{partial}", doc] for name, partial, doc in REDUCTION.findall(table)]
    body = RULES.read_text(encoding="utf-8")
    body = body[body.index("enum class TypeRule") :]
    rules = [[name, doc] for name, doc in RULE.findall(body[: body.index("};")])]
    # A row that the patterns above miss must not go missing in silence.
    if len(operations) != table.count("{E::") or len(reductions) != table.count(", Reduction::"):
        sys.exit(f"operations.py: {TABLE.relative_to(ROOT)} has rows that this script cannot read")
    known = {name for name, _ in rules}
    unknown = {row[2] for row in operations} - known
    if unknown:
        sys.exit(f"operations.py: no line in {RULES.relative_to(ROOT)} explains {sorted(unknown)}")
    return (
        HEAD
        + "## Element by element\n\n"
        + markdown(["function", "operands", "types", "result"], operations)
        + "\nThe types of operands and result:\n\n"
        + markdown(["types", "meaning"], rules)
        + "\n## Reductions\n\n"
        + "Each block gives a partial result; a tree of fixed shape merges them.\n\n"
        + markdown(["function", "partial result", "result"], reductions)
    )


def main() -> None:
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(), encoding="utf-8")
    elif sys.argv[1:] == []:
        print(page(), end="")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
