#!/usr/bin/env python3
"""Checks that includes go down only: what each folder of tuff/ may include, and what may be public.

Run by the tests, by `make lint` and before each commit. Prints one line per violation, as file:line,
and ends with 1 when there is any. The table is the one in docs/design.md, "Layers of the code": each
row also gets what its row may include.

Usage: check_layers.py [ROOT]    (ROOT: a source tree, by default the one this script is in)
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

MAY_INCLUDE = {
    "base": [],
    "kernels": ["base"],
    "ops": ["kernels"],
    "storage": ["base"],
    "graph": ["ops"],
    "optimize": ["graph"],
    "schedule": ["graph", "storage"],
    "compute": ["optimize", "schedule"],
    "array": ["compute", "storage"],
    "glm": ["array"],
    "search": ["array"],
    "table": ["array", "glm"],
    "handoff": ["array", "glm"],
    "diagnostics": ["optimize", "schedule"],  # schedule: memory_statistics
    "cluster": ["compute", "storage", "glm"],
}

# The files directly under tuff/, by stem: compute.*, delayed.*, persist.* and tasks.* are the layer `compute`; the
# umbrella header names everything in libtuff, and nothing in tuff/ may include it back.
FILES_OF_COMPUTE = ["compute", "delayed", "persist", "tasks"]
UMBRELLA = "tuff/tuff.h"
IN_OTHER_LIBRARIES = {"table", "handoff", "cluster"}
# What users include beside the umbrella: the headers of the libraries beside libtuff.
OTHER_ROOTS = ["tuff/table/table.h", "tuff/table/write.h"]

# Folders beside tuff/ that see what a user sees: the headers one can reach from the umbrella and OTHER_ROOTS.
# Tests may look inside.
USERS = ["apps", "bench", "examples", "python", "tutorials"]

# CMake makes this header in the build tree.
GENERATED = {"tuff/base/version.h"}

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')
SUFFIXES = {".h", ".hpp", ".cpp", ".cc", ".c"}


def reachable(layer: str) -> set[str]:
    """The layers whose headers `layer` may include: itself, its row, and their rows."""
    seen = set()
    pending = [layer]
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending += MAY_INCLUDE[name]
    return seen


def layer_of(path: str) -> str | None:
    """The layer a path such as `tuff/graph/plan.h` belongs to; None if the table has none for it."""
    parts = path.split("/")
    if len(parts) == 2:
        return "compute" if Path(path).stem in FILES_OF_COMPUTE else None
    return parts[1] if parts[1] in MAY_INCLUDE else None


def sources(root: Path, folder: str) -> Iterator[str]:
    """The C and C++ files under `folder`, as paths from the root, sorted."""
    for path in sorted((root / folder).rglob("*")):
        if path.suffix in SUFFIXES and path.is_file():
            yield path.relative_to(root).as_posix()


def includes(root: Path, path: str) -> Iterator[tuple[int, str, bool]]:
    """Line number, included path, and whether it stands in quotes, for each include of a file."""
    text = (root / path).read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if match := INCLUDE.match(line):
            yield number, match[1] or match[2], match[1] is not None


def check_folders(root: Path) -> Iterator[str]:
    """Every folder of tuff/ with sources in it is a layer of the table."""
    for folder in sorted(p for p in (root / "tuff").iterdir() if p.is_dir()):
        name = f"tuff/{folder.name}"
        if folder.name not in MAY_INCLUDE and any(sources(root, name)):
            yield f"{name}:1: the folder is not in the table of layers"


def check_direction(root: Path) -> Iterator[str]:
    """Every include inside tuff/ is written from the root and goes to a layer below."""
    for path in sources(root, "tuff"):
        layer = layer_of(path)
        if path == UMBRELLA:
            allowed = MAY_INCLUDE.keys() - IN_OTHER_LIBRARIES
        elif layer is None:
            if path.count("/") == 1:
                yield f"{path}:1: only compute.*, delayed.* and tuff.h live directly under tuff/"
            continue
        else:
            allowed = reachable(layer)
        for number, included, quoted in includes(root, path):
            if not included.startswith("tuff/"):
                if quoted and ((root / path).parent / included).exists():
                    yield f'{path}:{number}: write "{included}" from the root, as "tuff/..."'
                elif included.split("/")[0] in [*USERS, "tests"]:
                    yield f"{path}:{number}: the library may not include {included}"
                continue
            if not quoted:
                yield f"{path}:{number}: write <{included}> in quotes"
            target = layer_of(included)
            if included == UMBRELLA:
                yield f"{path}:{number}: nothing in tuff/ may include {UMBRELLA}"
            elif target is None:
                yield f"{path}:{number}: {included} is in no layer of the table"
            elif target not in allowed:
                yield f"{path}:{number}: {layer or UMBRELLA} may not include {target} ({included})"


def public_headers(root: Path) -> set[str]:
    """What one can reach from the umbrella header and from those of the other libraries."""
    seen: set[str] = set()
    pending = [UMBRELLA, *OTHER_ROOTS]
    while pending:
        path = pending.pop()
        if path not in seen and (root / path).is_file():
            seen.add(path)
            pending += [inc for _, inc, _ in includes(root, path) if inc.startswith("tuff/")]
    return seen


def check_public(root: Path) -> Iterator[str]:
    """Public headers include nobody else's, and users include only public ones."""
    public = public_headers(root)
    if not public:
        return
    for path in sorted(public):
        for number, included, _ in includes(root, path):
            standard = "/" not in included and "." not in included
            if not included.startswith("tuff/") and not standard:
                yield f"{path}:{number}: a public header may not include {included}"
    for folder in USERS:
        for path in sources(root, folder):
            for number, included, _ in includes(root, path):
                if included.startswith("tuff/") and included not in public | GENERATED:
                    yield f"{path}:{number}: {included} is not public: {UMBRELLA} does not reach it"


def violations(root: Path) -> list[str]:
    """One line per violation in the tree at `root`."""
    if not (root / "tuff").is_dir():
        return [f"{root}: no folder tuff/ here"]
    return [*check_folders(root), *check_direction(root), *check_public(root)]


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    found = violations(root)
    for line in found:
        print(line)
    print(f"check_layers: {len(found)} violation{'' if len(found) == 1 else 's'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
