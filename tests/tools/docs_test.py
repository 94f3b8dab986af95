"""Checks what the documentation says of the code: examples, names, files, tables."""

import re
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from check_layers import MAY_INCLUDE

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "bench").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)\)")
# `name` (`tuff/file.h`), as design.md and flow.md give names with their files.
NAME_IN_FILE = re.compile(r"`([\w:]+)`\s+\(`(tuff/[\w/.-]+)`\)")
PATH = re.compile(r"`((?:tuff|bench|tests|tools|examples|cmake|scripts|docs)/[\w/.-]+\.(?:h|cpp|py|md|sh))`")
GENERATED = {"tuff/base/version.h"}


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


class Docs(unittest.TestCase):
    def test_the_example_of_the_readme_is_the_one_that_is_built(self):
        found = re.findall(r"```cpp\n(.*?)```", text_of(ROOT / "README.md"), re.DOTALL)
        self.assertEqual(found, [text_of(ROOT / "examples" / "first_steps.cpp")])

    def test_the_example_of_profiling_is_the_one_that_is_built(self):
        found = re.findall(r"```cpp\n(.*?)```", text_of(ROOT / "docs" / "profiling.md"), re.DOTALL)
        self.assertEqual(found, [text_of(ROOT / "examples" / "profiling.cpp")])

    def test_the_example_of_the_dashboard_is_the_one_that_is_built(self):
        found = re.findall(r"```cpp\n(.*?)```", text_of(ROOT / "docs" / "dashboard.md"), re.DOTALL)
        self.assertEqual(found, [text_of(ROOT / "examples" / "dashboard.cpp")])

    def test_links_lead_somewhere(self):
        for page in PAGES:
            for target in LINK.findall(text_of(page)):
                if not target.startswith("http"):
                    self.assertTrue((page.parent / target).exists(), f"{name_of(page)}: {target}")

    def test_files_that_are_named_exist(self):
        for page in PAGES:
            for path in PATH.findall(text_of(page)):
                if path not in GENERATED:
                    self.assertTrue((ROOT / path).exists(), f"{name_of(page)}: {path}")

    def test_names_are_in_the_files_where_they_are_said_to_be(self):
        for page in PAGES:
            for name, path in NAME_IN_FILE.findall(text_of(page)):
                word = re.compile(r"\b" + name.rsplit("::", 1)[-1] + r"\b")
                self.assertRegex(text_of(ROOT / path), word, f"{name_of(page)}: {name} in {path}")

    def test_the_table_of_layers_is_the_one_that_is_enforced(self):
        section = text_of(ROOT / "docs" / "design.md").split("## Layers of the code", 1)[1]
        rows = re.findall(r"^\| (\w+) \| ([^|]+) \| [^|]+ \|$", section.split("\n## ", 1)[0], re.MULTILINE)
        table = {layer: [] if may == "-" else may.split(", ") for layer, may in rows[1:]}
        self.assertEqual(table, MAY_INCLUDE)

    def test_the_page_of_operations_is_up_to_date(self):
        command = [sys.executable, "-B", str(ROOT / "tools" / "operations.py")]
        made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        self.assertEqual(
            text_of(ROOT / "docs" / "operations.md"), made, "run tools/operations.py --write"
        )


if __name__ == "__main__":
    unittest.main()
