"""Tests of run.py's pure functions: python3 -m unittest discover -s bench -p '*_test.py'

Needs neither a build nor the peers' environment.
"""

import json
import unittest
from pathlib import Path

import run


def row(system="c", seconds=1.0, **changes):
    values = {
        "bench": "arrays",
        "case": "sum",
        "system": system,
        "threads": 2,
        "tasks": 0,
        "seconds": seconds,
        "bytes": 8e8,
        "peak_rss": 1e9,
        "result": [100.0],
        "state": "warm",
        "elements": 100,
        "foreign_cpu": 0.0,
    }
    return values | changes


class ParseRow(unittest.TestCase):
    def refusal(self, line, **expected):
        with self.assertRaises(ValueError) as caught:
            run.parse_row(line, expected)
        return str(caught.exception)

    def test_keeps_every_key_of_a_good_line(self):
        self.assertEqual(run.parse_row(json.dumps(row()), {"system": "c"}), row())

    def test_refuses_what_is_not_json(self):
        self.refusal("warning: something")
        self.refusal("[1, 2]")
        self.assertIn("NaN", self.refusal(json.dumps(row(seconds=float("nan")))))

    def test_names_a_missing_key(self):
        line = row()
        del line["peak_rss"]
        self.assertIn("peak_rss", self.refusal(json.dumps(line)))

    def test_names_a_value_of_the_wrong_type(self):
        self.assertIn("threads", self.refusal(json.dumps(row(threads="2"))))
        self.assertIn("result", self.refusal(json.dumps(row(result=100.0))))
        self.assertIn("tasks", self.refusal(json.dumps(row(tasks=True))))

    def test_refuses_another_case_than_asked_for(self):
        self.assertIn("asked for 'expsum'", self.refusal(json.dumps(row()), case="expsum"))

    def test_refuses_an_unknown_state_and_a_time_that_is_not_positive(self):
        self.assertIn("state", self.refusal(json.dumps(row(state="hot"))))
        self.assertIn("seconds", self.refusal(json.dumps(row(seconds=0))))

    def test_refuses_a_white_space_that_is_no_share(self):
        run.parse_row(json.dumps(row(white_space=0.03)), {})
        self.assertIn("white_space", self.refusal(json.dumps(row(white_space=3))))
        self.assertIn("white_space", self.refusal(json.dumps(row(white_space="3 %"))))

    def test_refuses_live_blocks_that_are_no_count(self):
        run.parse_row(json.dumps(row(peak_live=3)), {})
        for wrong in (-1, 2.5, "3", True):
            self.assertIn("peak_live", self.refusal(json.dumps(row(peak_live=wrong))))


class Summarize(unittest.TestCase):
    def test_takes_medians_of_cold_and_warm_apart(self):
        rows = [row(seconds=9.0, state="cold")] + [row(seconds=s) for s in (3.0, 1.0, 2.0)]
        (summary,) = run.summarize(rows)
        self.assertEqual(summary["cold"], 9.0)
        self.assertEqual(summary["warm"], 2.0)
        self.assertEqual((summary["fastest"], summary["slowest"]), (1.0, 3.0))
        self.assertEqual(summary["repeats"], 3)

    def test_takes_the_largest_memory_and_disturbance(self):
        (summary,) = run.summarize(
            [row(peak_rss=5, foreign_cpu=0.3), row(peak_rss=7, foreign_cpu=0.1)]
        )
        self.assertEqual((summary["peak_rss"], summary["foreign_cpu"]), (7, 0.3))

    def test_takes_the_median_white_space_of_the_rows_that_have_one(self):
        shares = [row(white_space=share) for share in (0.01, 0.02, 0.09)]
        (summary,) = run.summarize([row(state="cold"), *shares])
        self.assertEqual(summary["white_space"], 0.02)
        (summary,) = run.summarize([row()])
        self.assertIsNone(summary["white_space"])

    def test_takes_the_most_live_blocks_of_any_row(self):
        rows = [row(peak_live=4, state="cold"), row(peak_live=3)]
        self.assertEqual(run.summarize(rows)[0]["peak_live"], 4)
        self.assertIsNone(run.summarize([row()])[0]["peak_live"])

    def test_keeps_systems_and_thread_counts_apart(self):
        summaries = run.summarize([row(), row(threads=1), row("numpy")])
        self.assertEqual(
            [(s["system"], s["threads"]) for s in summaries], [("c", 2), ("c", 1), ("numpy", 2)]
        )

    def test_has_no_warm_time_without_warm_repeats(self):
        (summary,) = run.summarize([row(state="cold")])
        self.assertIsNone(summary["warm"])
        self.assertEqual(run.format_spread(summary), "-")


class Ratio(unittest.TestCase):
    def test_refers_to_the_run_with_the_most_threads(self):
        summaries = run.summarize([row("tuff", 4.0, threads=1), row("tuff", 2.0, threads=2)])
        reference = run.find(summaries, "sum", "tuff")
        self.assertEqual(run.ratio(6.0, reference), 3.0)

    def test_is_missing_without_a_reference(self):
        self.assertIsNone(run.find([], "sum", "tuff"))
        self.assertIsNone(run.ratio(6.0, None))


class Disagreements(unittest.TestCase):
    check = {"relative_tolerance": 1e-9}

    def test_are_none_within_the_tolerance(self):
        rows = [row("c"), row("numpy", result=[100.0 * (1 + 1e-12)])]
        self.assertEqual(run.disagreements("sum", self.check, rows), [])

    def test_blame_only_the_system_that_differs(self):
        rows = [row("c", result=[101.0]), row("numpy"), row("tuff")]
        (sentence,) = run.disagreements("sum", self.check, rows)
        self.assertTrue(sentence.startswith("c: figure 0 is 101.0"), sentence)

    def test_near_zero_are_judged_by_the_absolute_tolerance(self):
        rows = [row("c", result=[1e-8]), row("numpy", result=[3e-8]), row("tuff", result=[0.0])]
        self.assertEqual(len(run.disagreements("sum", self.check, rows)), 2)
        check = self.check | {"absolute_tolerance": 1e-6}
        self.assertEqual(run.disagreements("sum", check, rows), [])
        far = row("dask", result=[1.0])
        (sentence,) = run.disagreements("sum", check, [*rows, far])
        self.assertTrue(sentence.startswith("dask: figure 0 is 1.0"), sentence)

    def test_look_at_every_figure_and_every_repeat(self):
        rows = [
            row("c", result=[1.0, 2.0]),
            row("numpy", result=[1.0, 2.0]),
            row("tuff", result=[1.0, 2.0]),
        ]
        rows.append(row("tuff", result=[1.0, 2.1]))
        (sentence,) = run.disagreements("sum", self.check, rows)
        self.assertTrue(sentence.startswith("tuff: figure 1"), sentence)

    def test_report_results_that_are_not_finite_or_missing(self):
        rows = [row("c", result=[None]), row("numpy", result=[]), row("tuff")]
        self.assertEqual(len(run.disagreements("sum", self.check, rows)), 2)

    def test_report_different_numbers_of_figures(self):
        rows = [row("c"), row("tuff", result=[100.0, 1.0])]
        self.assertEqual(len(run.disagreements("sum", self.check, rows)), 1)

    def test_compare_random_sums_with_their_expectation(self):
        check = {"random_sum": {"mean": 1.0, "deviation": 0.5}}  # one standard error of 100: 5
        near, far = row("c", result=[120.0]), row("numpy", result=[130.0])
        self.assertEqual(run.disagreements("sum", check, [near]), [])
        (sentence,) = run.disagreements("sum", check, [near, far])
        self.assertIn("numpy: 130.0 misses the expected 100 by +6.0", sentence)

    def test_ignore_other_cases(self):
        self.assertEqual(
            run.disagreements("sum", self.check, [row(case="expsum", result=[None])]), []
        )


class Targets(unittest.TestCase):
    summaries = run.summarize(
        [
            row("tuff", 1.2, peak_rss=39e6, white_space=0.04),
            row("c", 1.0),
            row("c", 0.5, case="read"),
            row("numpy", 9.0),
            row("numexpr", 1.1),
        ]
    )

    def verdict(self, **target):
        return run.judge({"case": "sum", **target}, self.summaries)[2]

    def test_compare_with_a_multiple_of_a_peer(self):
        self.assertTrue(self.verdict(seconds_at_most=1.25, times={"system": "c"}))
        self.assertFalse(self.verdict(seconds_at_most=1.1, times={"system": "c"}))

    def test_compare_with_a_peer_on_another_case(self):
        target = {"case": "sum", "seconds_at_most": 2, "times": {"system": "c", "case": "read"}}
        asked, measured, met = run.judge(target, self.summaries)
        self.assertEqual(asked, "at most 2 x c on `read`")
        self.assertTrue(measured.startswith("2.40 x"), measured)
        self.assertFalse(met)

    def test_compare_with_seconds_and_bytes(self):
        self.assertTrue(self.verdict(seconds_at_most=1.6))
        self.assertFalse(self.verdict(seconds_at_most=1.0))
        self.assertTrue(self.verdict(peak_rss_at_most=40e6))

    def test_compare_the_white_space_with_a_share(self):
        asked, measured, met = run.judge(
            {"case": "sum", "white_space_at_most": 0.05}, self.summaries
        )
        self.assertEqual((asked, measured), ("white space at most 5.0%", "4.0%"))
        self.assertTrue(met)
        self.assertFalse(self.verdict(white_space_at_most=0.03))
        target = {"case": "sum", "white_space_at_most": 0.05}
        self.assertIsNone(run.judge(target, run.summarize([row("tuff")]))[2])

    def test_compare_with_another_number_of_threads(self):
        target = {"case": "sum", "seconds_at_most": 1.1, "times": {"system": "tuff", "threads": 1}}
        self.assertIsNone(run.judge(target, self.summaries)[2])
        summaries = self.summaries + run.summarize([row("tuff", 1.0, threads=1)])
        asked, measured, met = run.judge(target, summaries)
        self.assertEqual(asked, "at most 1.1 x tuff with 1 thread")
        self.assertTrue(measured.startswith("1.20 x"), measured)
        self.assertFalse(met)

    def test_compare_live_blocks_with_the_threads(self):
        target = {"case": "sum", "live_per_thread_at_most": 4}
        self.assertIsNone(run.judge(target, self.summaries)[2])
        asked, measured, met = run.judge(target, run.summarize([row("tuff", peak_live=8)]))
        self.assertEqual(
            (asked, measured), ("at most 4 live blocks per thread", "8 with 2 threads")
        )
        self.assertTrue(met)
        self.assertFalse(run.judge(target, run.summarize([row("tuff", peak_live=9)]))[2])

    def test_say_when_they_are_a_stretch(self):
        target = {"case": "sum", "seconds_at_most": 1.0, "stretch": True}
        self.assertIn(
            "at most 1 s (stretch)", run.target_table([target], self.summaries, quick=False)
        )

    def test_are_ahead_only_when_ahead_of_the_best(self):
        self.assertTrue(self.verdict(ahead_of=["numpy"]))
        self.assertFalse(self.verdict(ahead_of=["numpy", "numexpr"]))

    def test_are_open_while_something_did_not_run(self):
        self.assertIsNone(self.verdict(ahead_of=["numpy", "dask-threads"]))
        self.assertIsNone(self.verdict(seconds_at_most=1.1, times={"system": "openmp"}))
        self.assertIsNone(run.judge({"case": "sum", "seconds_at_most": 1}, [])[2])

    def test_are_not_judged_on_quick_sizes(self):
        table = run.target_table(
            [{"case": "sum", "seconds_at_most": 1.0}], self.summaries, quick=True
        )
        self.assertIn("not judged", table)
        self.assertNotIn("MISSED", table)


class Text(unittest.TestCase):
    def test_seconds_get_a_fitting_unit(self):
        self.assertEqual(run.format_seconds(1.234), "1.23 s")
        self.assertEqual(run.format_seconds(0.01234), "12.3 ms")
        self.assertEqual(run.format_seconds(4.5e-6), "4.5 us")
        self.assertEqual(run.format_seconds(4.5e-8), "45 ns")
        self.assertEqual(run.format_seconds(None), "-")

    def test_columns_line_up(self):
        lines = run.markdown(["a", "long header"], [["long cell", "b"], ["c", "d"]]).splitlines()
        self.assertEqual(len(lines), 4)
        self.assertEqual(len({len(line) for line in lines}), 1)

    def test_a_table_has_ratios_to_tuff_and_to_c(self):
        summaries = run.summarize([row("tuff", 2.0), row("c", 1.0), row("numpy", 30.0, threads=1)])
        cells = [
            cell.strip() for cell in run.case_table("sum", summaries).splitlines()[-1].split("|")
        ]
        self.assertEqual(cells[1:3], ["numpy", "1"])
        self.assertEqual(cells[9:11], ["15", "30"])

    def test_a_table_has_live_blocks_where_somebody_counted_them(self):
        self.assertNotIn("peak live", run.case_table("sum", run.summarize([row()])))
        table = run.case_table("sum", run.summarize([row(), row("tuff", peak_live=4)]))
        cells = [[c.strip() for c in line.split("|")] for line in table.splitlines()]
        self.assertEqual([line[9] for line in cells if line[1] != "------"], ["peak live", "-", "4"])

    def test_a_table_has_no_ratio_to_what_nobody_ran(self):
        table = run.case_table("sum", run.summarize([row("tuff"), row("numpy")]))
        self.assertIn("x tuff", table)
        self.assertNotIn("x c", table)

    def test_agreement_is_claimed_only_between_systems(self):
        check = {"relative_tolerance": 1e-9}
        self.assertIn("agree to 1e-09.", run.agreement("sum", check, [row(), row("tuff")], []))
        with_margin = check | {"absolute_tolerance": 1e-6}
        self.assertIn(
            "1e-09 of their size plus 1e-06.",
            run.agreement("sum", with_margin, [row(), row("tuff")], []),
        )
        self.assertIn("no other", run.agreement("sum", check, [row()], []))
        self.assertIn("no result", run.agreement("sum", {}, [row()], []))
        self.assertIn("DISAGREE: c: x", run.agreement("sum", check, [row()], ["c: x"]))

    def test_noise_is_loud_only_above_the_threshold(self):
        quiet, loud = row(foreign_cpu=run.QUIET_CPUS), row("numpy", foreign_cpu=1.5)
        self.assertTrue(run.noise_report([quiet]).startswith("Quiet"))
        sentence = run.noise_report([quiet, loud])
        self.assertIn("NOT QUIET", sentence)
        self.assertIn("1 of 2 repeats, at worst 1.50 CPUs (sum, numpy", sentence)


class Machine(unittest.TestCase):
    def test_busy_time_counts_all_but_idling_and_waiting(self):
        text = "cpu  100 10 50 9999 8888 5 5 30 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
        self.assertEqual(run.busy_cpu_seconds(text, 100), 2.0)


class Jobs(unittest.TestCase):
    question = {
        "rounds": 2,
        "repeats": 5,
        "cases": {"sum": {}, "read": {"systems": ["c"]}},
        "systems": {
            "tuff": {"threads": [1, 2], "repeats_by_case": {"sum": 9}},
            "c": {"threads": [2], "threads_by_case": {"read": [1]}},
        },
    }

    def test_systems_take_turns_and_every_second_round_is_reversed(self):
        jobs = run.jobs_of(self.question, ["sum"], ["tuff", "c"], quick=False)
        self.assertEqual([(j[0], j[2], j[3]) for j in jobs],
                         [(0, "tuff", 1), (0, "tuff", 2), (0, "c", 2),
                          (1, "c", 2), (1, "tuff", 2), (1, "tuff", 1)])  # fmt: skip

    def test_a_case_chooses_its_systems_and_a_system_its_threads_and_repeats(self):
        jobs = run.jobs_of(self.question, ["sum", "read"], ["tuff", "c"], quick=False)
        self.assertEqual({j[4] for j in jobs if j[2] == "tuff"}, {9})
        self.assertEqual([j[2:] for j in jobs if j[1] == "read"], [("c", 1, 5)] * 2)

    def test_a_slow_system_may_take_part_in_fewer_rounds(self):
        systems = {**self.question["systems"]}
        systems["c"] = systems["c"] | {"rounds": 1}
        jobs = run.jobs_of(self.question | {"systems": systems}, ["sum"], ["tuff", "c"], False)
        self.assertEqual([j[0] for j in jobs if j[2] == "c"], [0])
        self.assertEqual([j[0] for j in jobs if j[2] == "tuff"], [0, 0, 1, 1])

    def test_a_quick_run_has_one_round_with_the_most_threads(self):
        jobs = run.jobs_of(self.question, ["sum"], ["tuff", "c"], quick=True)
        self.assertEqual(jobs, [(0, "sum", "tuff", 2, 2), (0, "sum", "c", 2, 2)])


class Commands(unittest.TestCase):
    def test_a_case_may_have_a_program_of_its_own(self):
        system = {"python": "run.py", "python_by_case": {"flights": "run_test.py"}}
        python, run.PYTHON = run.PYTHON, Path(__file__)  # needs no environment
        try:
            commands = run.commands_of("tuff", system, run.BENCH, ["sum", "flights"])
        finally:
            run.PYTHON = python
        self.assertEqual(Path(commands["sum"][1]).name, "run.py")
        self.assertEqual(Path(commands["flights"][1]).name, "run_test.py")
        self.assertEqual(commands["flights"][2:], ["--system", "tuff"])

    def test_another_program_may_be_native(self):
        system = {"python": "run.py", "program_by_case": {"sum": "run", "flights": "run_test.py"}}
        python, run.PYTHON = run.PYTHON, Path(__file__)
        programs, run.PROGRAMS = run.PROGRAMS, run.BENCH.parent
        try:
            commands = run.commands_of("tuff", system, run.BENCH, ["flights", "mean"])
        finally:
            run.PYTHON, run.PROGRAMS = python, programs
        self.assertEqual(commands["flights"], [str(run.BENCH / "run_test.py")])
        self.assertEqual(Path(commands["mean"][1]).name, "run.py")


class Questions(unittest.TestCase):
    def test_name_only_what_exists(self):
        paths = sorted(Path(run.BENCH).glob("*/question.json"))
        self.assertTrue(paths)
        for path in paths:
            with self.subTest(path.parent.name):
                question = json.loads(path.read_text(encoding="utf-8"))
                cases, systems = question["cases"], question["systems"]
                for case in cases.values():
                    self.assertLessEqual(set(case.get("systems", [])), set(systems))
                for system in systems.values():
                    for key in ("python", "c_source"):
                        if key in system:
                            self.assertTrue((path.parent / system[key]).is_file(), system[key])
                    for kind in ("threads", "repeats", "python", "program"):
                        key = f"{kind}_by_case"
                        self.assertLessEqual(set(system.get(key, {})), set(cases))
                    for script in system.get("python_by_case", {}).values():
                        self.assertTrue((path.parent / script).is_file(), script)
                for target in question["targets"]:
                    self.assertIn(target["case"], cases)
                    self.assertLessEqual(set(target.get("ahead_of", [])), set(systems))
                    self.assertIsNone(run.judge(target, [])[2])


if __name__ == "__main__":
    unittest.main()
