"""Tests of tools/check_layers.py on small trees: what must pass, and one tree per kind of violation."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools" / "check_layers.py"


def run_on(files: dict[str, str]) -> subprocess.CompletedProcess:
    """Runs the tool on a tree with these files (path to text)."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        command = [sys.executable, "-B", str(TOOL), folder]
        return subprocess.run(command, capture_output=True, text=True, check=False)


class CheckLayers(unittest.TestCase):
    def assert_clean(self, files: dict[str, str]) -> None:
        result = run_on(files)
        self.assertEqual((result.returncode, result.stdout), (0, "check_layers: 0 violations\n"))

    def assert_violation(self, files: dict[str, str], where: str, what: str) -> None:
        """Exactly one violation, at `where` (file:line), with `what` in its text."""
        result = run_on(files)
        self.assertEqual(result.returncode, 1, result.stdout)
        lines = result.stdout.splitlines()
        self.assertEqual(len(lines), 2, result.stdout)
        self.assertTrue(lines[0].startswith(where + ": "), lines[0])
        self.assertIn(what, lines[0])
        self.assertEqual(lines[1], "check_layers: 1 violation")

    def test_a_layer_may_include_itself_and_its_row(self):
        self.assert_clean({
            "tuff/graph/plan.h": '#include "tuff/graph/layer.h"\n#include "tuff/ops/table.h"\n',
            "tuff/graph/layer.h": "",
            "tuff/ops/table.h": "",
        })

    def test_a_row_also_gets_what_its_row_may_include(self):
        self.assert_clean({
            "tuff/array/array.cpp": '#include "tuff/base/shape.h"\n#include "tuff/graph/graph.h"\n'
                                    '#include "tuff/schedule/run.h"\n#include "tuff/delayed.h"\n',
            "tuff/delayed.h": '#include "tuff/optimize/passes.h"\n',
        })

    def test_schedule_may_spill(self):
        self.assert_clean({"tuff/schedule/memory.cpp": '#include "tuff/storage/spill/file.h"\n'})

    def test_the_umbrella_may_include_all_of_the_core_library(self):
        self.assert_clean({
            "tuff/tuff.h": '#include "tuff/array/array.h"\n#include "tuff/diagnostics/progress.h"\n'
                           '#include "tuff/glm/estimators.h"\n#include "tuff/compute.h"\n',
        })

    def test_an_include_that_goes_up_is_named_with_file_and_line(self):
        self.assert_violation(
            {"tuff/kernels/add.cpp": '#include <vector>\n\n#include "tuff/graph/graph.h"\n'},
            "tuff/kernels/add.cpp:3", "kernels may not include graph")

    def test_optimize_and_schedule_do_not_know_each_other(self):
        self.assert_violation({"tuff/optimize/fuse.cpp": '#include "tuff/schedule/run.h"\n'},
                              "tuff/optimize/fuse.cpp:1", "optimize may not include schedule")
        self.assert_violation({"tuff/schedule/run.cpp": '#include "tuff/optimize/fuse.h"\n'},
                              "tuff/schedule/run.cpp:1", "schedule may not include optimize")

    def test_nothing_below_knows_diagnostics(self):
        self.assert_violation({"tuff/compute.cpp": '#include "tuff/diagnostics/progress.h"\n'},
                              "tuff/compute.cpp:1", "compute may not include diagnostics")

    def test_files_in_deeper_folders_belong_to_the_layer_above_them(self):
        self.assert_violation({"tuff/storage/local/file.cpp": '  #  include "tuff/ops/table.h"\n'},
                              "tuff/storage/local/file.cpp:1", "storage may not include ops")

    def test_the_umbrella_may_not_include_a_library_of_its_own(self):
        self.assert_violation({"tuff/tuff.h": '#include "tuff/table/table.h"\n'},
                              "tuff/tuff.h:1", "tuff/tuff.h may not include table")

    def test_users_may_include_the_headers_of_other_libraries_and_none_behind_them(self):
        files = {
            "tuff/tuff.h": "",
            "tuff/table/table.h": "",
            "tuff/table/source.h": "",
            "apps/tuff/main.cpp": '#include "tuff/table/table.h"\n',
        }
        self.assert_clean(files)
        files["apps/tuff/main.cpp"] += '#include "tuff/table/source.h"\n'
        self.assert_violation(files, "apps/tuff/main.cpp:2", "is not public")
        files["apps/tuff/main.cpp"] = ""
        files["tuff/table/table.h"] = "#include <arrow/api.h>\n"
        self.assert_violation(files, "tuff/table/table.h:1", "a public header may not include arrow/api.h")

    def test_nothing_in_the_library_includes_the_umbrella(self):
        self.assert_violation({"tuff/glm/solver.cpp": '#include "tuff/tuff.h"\n', "tuff/tuff.h": ""},
                              "tuff/glm/solver.cpp:1", "nothing in tuff/ may include tuff/tuff.h")

    def test_a_folder_outside_the_table_is_refused(self):
        self.assert_violation({"tuff/common/util.h": "", "tuff/base/shape.h": ""},
                              "tuff/common:1", "not in the table")

    def test_a_stray_file_beside_compute_is_refused(self):
        self.assert_violation({"tuff/util.h": ""}, "tuff/util.h:1", "directly under tuff/")

    def test_an_include_of_an_unknown_layer_is_refused(self):
        self.assert_violation({"tuff/base/shape.h": '#include "tuff/common/util.h"\n'},
                              "tuff/base/shape.h:1", "in no layer of the table")

    def test_a_relative_include_cannot_slip_past(self):
        self.assert_violation({"tuff/base/shape.cpp": '#include "shape.h"\n', "tuff/base/shape.h": ""},
                              "tuff/base/shape.cpp:1", "from the root")

    def test_angle_brackets_are_for_others(self):
        self.assert_violation({"tuff/ops/table.cpp": "#include <tuff/base/shape.h>\n"},
                              "tuff/ops/table.cpp:1", "in quotes")

    def test_the_library_does_not_include_its_tests(self):
        self.assert_violation({"tuff/base/shape.cpp": '#include "tests/support/oracle.h"\n'},
                              "tuff/base/shape.cpp:1", "may not include tests/support/oracle.h")

    def test_third_parties_are_fine_inside_but_not_in_a_public_header(self):
        inside = {
            "tuff/tuff.h": '#include "tuff/array/array.h"\n',
            "tuff/array/array.h": "#include <vector>\n",
            "tuff/array/array.cpp": "#include <fmt/format.h>\n",
        }
        self.assert_clean(inside)
        self.assert_violation(inside | {"tuff/array/array.h": "#include <fmt/format.h>\n"},
                              "tuff/array/array.h:1", "a public header may not include fmt/format.h")

    def test_users_see_public_headers_and_tests_see_all(self):
        tree = {
            "tuff/tuff.h": '#include "tuff/array/array.h"\n',
            "tuff/array/array.h": '#include "tuff/base/shape.h"\n',
            "tuff/base/shape.h": "",
            "tuff/graph/lower.h": "",
            "examples/sum.cpp": '#include "tuff/tuff.h"\n#include "tuff/base/shape.h"\n'
                                '#include "tuff/base/version.h"\n',
            "tests/graph/lower_test.cpp": '#include "tuff/graph/lower.h"\n',
        }
        self.assert_clean(tree)
        self.assert_violation(tree | {"bench/graph/tuff.cpp": '#include "tuff/graph/lower.h"\n'},
                              "bench/graph/tuff.cpp:1", "not public")

    def test_a_commented_include_is_no_include(self):
        self.assert_clean({"tuff/base/shape.h": '// #include "tuff/graph/graph.h"\n'})

    def test_a_tree_without_tuff_is_an_error(self):
        result = run_on({"readme.txt": ""})
        self.assertEqual(result.returncode, 1)
        self.assertIn("no folder tuff/ here", result.stdout)


if __name__ == "__main__":
    unittest.main()
