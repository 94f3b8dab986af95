#!/usr/bin/env python3
"""The command line from the outside: answers, exit codes, messages, and that nothing is half-written.

Run by ctest with TUFF_BUILD_DIR set. References are computed here in plain NumPy.
"""

import json
import math
import os
import resource
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

TUFF = Path(os.environ["TUFF_BUILD_DIR"]) / "bin" / "tuff"


def newton(X, y, alpha=0.0):
    """Coefficients and intercept by plain Newton steps in float64."""
    design = np.column_stack([X, np.ones(len(y))])
    beta = np.zeros(design.shape[1])
    penalty = alpha * len(y) * np.append(np.ones(X.shape[1]), 0)
    for _ in range(50):
        mu = 1 / (1 + np.exp(-design @ beta))
        hessian = (design * (mu * (1 - mu))[:, None]).T @ design + np.diag(penalty)
        beta -= np.linalg.solve(hessian, design.T @ (mu - y) + penalty * beta)
    return beta


def flights(rows=20000, seed=1):
    """A table like the flights file, small."""
    random = np.random.default_rng(seed)
    distance = random.integers(50, 3000, rows)
    hour = random.integers(0, 24, rows)
    delay = np.round(random.normal(-5 + 0.004 * distance + 0.6 * hour, 25)).astype(np.int64)
    origin = np.array(["SFO", "LAX", "JFK"])[random.integers(0, 3, rows)]
    return pa.table({"delay": delay, "distance": distance, "hour": hour.astype(np.float64), "origin": origin})


class Cli(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def path(self, name):
        return str(self.folder / name)

    def tuff(self, *arguments, code=0, **more):
        done = subprocess.run([TUFF, *map(str, arguments)], capture_output=True, text=True, timeout=60, **more)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return done

    def write(self, table, name="flights.parquet", **options):
        if name.endswith(".csv"):
            pa.csv.write_csv(table, self.path(name))
        else:
            pa.parquet.write_table(table, self.path(name), **options)
        return self.path(name)

    def fit(self, *arguments, **more):
        self.tuff("glm", "fit", *arguments, "--json", self.path("fit.json"), "--quiet", **more)
        return json.loads(Path(self.path("fit.json")).read_text())

    def refused(self, text, *arguments, code=1, **more):
        """The command ends with `code` and this text, and leaves no file behind."""
        before = sorted(os.listdir(self.folder))
        done = self.tuff(*arguments, code=code, **more)
        self.assertIn(text, done.stderr)
        self.assertEqual(sorted(os.listdir(self.folder)), before)
        return done


class Fit(Cli):
    def test_agrees_with_plain_newton_steps(self):
        table = flights()
        file = self.write(table, row_group_size=7000)
        X = np.column_stack([table["distance"], table["hour"]]).astype(float)
        y = (table["delay"].to_numpy() > 15).astype(float)
        for options, alpha in ([], 0.0), (["--alpha", 0.1], 0.1), (["--solver", "lbfgs", "--tol", "1e-11"], 0.0):
            model = self.fit(file, "--target", "delay > 15", "--features", "distance,hour", *options)
            want = newton(X, y, alpha)
            got = [*model["coef"].values(), model["intercept"]]
            np.testing.assert_allclose(got, want, rtol=1e-8)
            self.assertEqual(list(model["coef"]), ["distance", "hour"])
            self.assertTrue(model["converged"])

    def test_fits_data_larger_than_memory_allows(self):
        table = flights(rows=1_200_000)
        file = self.write(table, row_group_size=20_000)
        arguments = [file, "--target", "delay > 15", "--features", "distance,hour"]
        want = self.fit(*arguments)
        # 20 MB of numbers, some of which wait on disk.
        for memory in "7MB", "14MB":
            model = self.fit(*arguments, "--memory", memory)
            np.testing.assert_allclose([*model["coef"].values()], [*want["coef"].values()], rtol=1e-10)
            self.assertEqual(model["n_iter"], want["n_iter"])
        for text in "on block (0,) needs", "the memory budget is 0.1 MB", "--memory sets the budget":
            self.refused(text, "glm", "fit", *arguments, "--memory", "100kB", "--json", self.path("new.json"))

    def test_json_says_all_that_is_promised(self):
        model = self.fit(self.write(flights()), "--target", "delay > 15", "--threads", 1)
        for name in ("coef intercept converged stop_reason n_iter objective gradient_norm passes rows seconds_read "
                     "seconds_fit threads white_space").split():
            self.assertIn(name, model)
        self.assertEqual(model["rows"], 20000)
        self.assertEqual(model["threads"], 1)
        self.assertEqual(model["stop_reason"], "gradient")
        self.assertLess(model["gradient_norm"], 1e-8)
        self.assertTrue(0 <= model["white_space"] <= 1)
        # Without --features: all numeric columns but the target's; text is left out.
        self.assertEqual(list(model["coef"]), ["distance", "hour"])

    def test_does_not_depend_on_format_threads_or_cut(self):
        table = flights()
        files = [self.write(table), self.write(table, "one.csv"), self.write(table, "cut.parquet", row_group_size=999)]
        halves = [self.write(table.slice(0, 7777), "part-1.parquet"), self.write(table.slice(7777), "part-2.parquet")]
        glob = self.path("part-*.parquet")
        arguments = ["--target", "delay > 15", "--features", "distance,hour"]
        models = [self.fit(file, *arguments, "--threads", threads) for file in files for threads in (1, 2, 7)]
        models += [self.fit(*halves, *arguments), self.fit(glob, *arguments)]
        for model in models[1:]:
            for name, value in models[0]["coef"].items():
                self.assertAlmostEqual(model["coef"][name] / value, 1, delta=1e-12)
        self.assertEqual(models[0]["coef"], models[1]["coef"])
        self.assertEqual(models[0]["coef"], models[2]["coef"])

    def test_target_may_be_a_column_a_comparison_or_text(self):
        table = flights()
        late = (table["delay"].to_numpy() > 15)
        table = table.append_column("late", pa.array(late)).append_column("late int", pa.array(late.astype(np.int8)))
        file = self.write(table)
        want = self.fit(file, "--target", "delay > 15", "--features", "distance")["coef"]
        for target in "late", "`late int`", "`late int`==1", "late int != 0", "delay>=16", "delay > 15.5":
            self.assertEqual(self.fit(file, "--target", target, "--features", "distance")["coef"], want, target)
        origin = self.fit(file, "--target", "origin == 'SFO'", "--features", "distance")
        y = np.array([o == "SFO" for o in table["origin"].to_pylist()], float)
        np.testing.assert_allclose(origin["coef"]["distance"],
                                   newton(table["distance"].to_numpy()[:, None].astype(float), y)[0], rtol=1e-7)

    def test_files_may_follow_the_features(self):
        file = self.write(flights())
        want = self.fit(file, "--target", "delay > 15", "--features", "distance,hour")["coef"]
        arguments = ["--features", "distance", "--features", "hour", "--target", "delay > 15", file]
        self.assertEqual(self.fit(*arguments)["coef"], want)

    def test_prints_the_table_and_the_figures(self):
        out = self.tuff("glm", "fit", self.write(flights()), "--target", "delay > 15", "--report", self.path("r.html"))
        for text in ("distance", "(intercept)", "20,000", "passes over the data", "converged: the gradient is small",
                     "GB/s", "white space", "reading", "fitting", "r.html"):
            self.assertIn(text, out.stdout)
        self.assertIn("<html", Path(self.path("r.html")).read_text())

    def test_traces_every_task_beside_the_report(self):
        file = self.write(flights())
        out = self.tuff("glm", "fit", file, "--target", "delay > 15", "--trace", self.path("t.json"), "--report", self.path("r.html"))
        self.assertIn("t.json", out.stdout)
        self.assertIn("<html", Path(self.path("r.html")).read_text())
        events = json.loads(Path(self.path("t.json")).read_text())["traceEvents"]
        self.assertEqual([event["name"] for event in events if event.get("cat") == "phase"], ["read", "fit"])
        self.assertTrue(any(event.get("cat") == "task" and event["name"] == "logistic_pass" for event in events))
        self.assertTrue(any(event["ph"] == "C" for event in events))

    def test_explains_one_pass_as_page_or_text(self):
        file = self.write(flights())
        for name in ("e.html", "e.txt"):
            out = self.tuff("glm", "fit", file, "--target", "delay > 15", "--explain", self.path(name))
            self.assertIn(name, out.stdout)
        self.assertIn("<html", Path(self.path("e.html")).read_text())
        text = Path(self.path("e.txt")).read_text()
        self.assertTrue(text.startswith("One pass of the fit of delay > 15 on "), text)
        self.assertIn("logistic_pass", text)
        self.assertIn("Bytes by layer", text)

    def test_says_where_its_dashboard_is(self):
        file = self.write(flights())
        for arguments in (["--dashboard", "0", file], ["--dashboard=0", file], [file, "--dashboard", "0"]):
            done = self.tuff("glm", "fit", "--target", "delay > 15", *arguments)
            self.assertRegex(done.stderr, r"^dashboard: http://127\.0\.0\.1:\d+/\n")
        quiet = self.tuff("glm", "fit", file, "--target", "delay > 15", "--dashboard", "0", "--quiet")
        self.assertEqual(quiet.stdout + quiet.stderr, "")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.refused(f"port {port} of 127.0.0.1 is in use", "glm", "fit", file, "--target", "delay > 15", "--dashboard", port)

    def test_a_file_after_dashboard_stays_a_file(self):
        missing = self.path("no.csv")
        done = subprocess.run([TUFF, "glm", "fit", "--target", "delay > 15", "--dashboard", missing], capture_output=True,
                              text=True, timeout=60)
        self.assertIn("no.csv", done.stderr)
        self.assertRegex(done.stderr, "dashboard: http://127.0.0.1:8833/|port 8833 of 127.0.0.1 is in use")

    def test_quiet_prints_nothing(self):
        done = self.tuff("glm", "fit", self.write(flights()), "--target", "delay > 15", "--quiet")
        self.assertEqual(done.stdout + done.stderr, "")

    def test_says_loudly_that_it_did_not_converge(self):
        done = self.tuff("glm", "fit", self.write(flights()), "--target", "delay > 15", "--max-iter", 1, "--quiet")
        self.assertIn("warning: the fit has NOT CONVERGED: iterations used up", done.stderr)

    def nearly_collinear(self, offset=0):
        table = flights()
        distance = [offset + d for d in table["distance"].to_pylist()]
        close = [d + 1e-5 * math.sin(i) for i, d in enumerate(distance)]
        return self.write(pa.table({"delay": table["delay"], "distance": distance, "close": close}))

    def test_warns_of_nearly_collinear_features_everywhere(self):
        file = self.nearly_collinear()
        done = self.tuff("glm", "fit", file, "--target", "delay > 15", "--quiet", "--json", self.path("m.json"),
                         "--report", self.path("r.html"))
        self.assertRegex(done.stderr, r"^tuff: warning: the features are nearly collinear \('distance', 'close' above all\): the "
                                      r"condition number of the standardised features is \d\.?\d*e\+0[78]")
        model = json.loads(Path(self.path("m.json")).read_text())
        self.assertEqual(["tuff: warning: " + w for w in model["warnings"]], done.stderr.splitlines())
        self.assertIn("nearly collinear", Path(self.path("r.html")).read_text())

    def test_predicts_as_well_far_from_zero(self):
        def predictions(offset):
            table = flights()
            moved = [float(offset + d) for d in table["distance"].to_pylist()]
            file = self.write(pa.table({"delay": table["delay"], "distance": moved}))
            self.tuff("glm", "fit", file, "--target", "delay > 15", "--quiet", "--json", self.path("m.json"))
            self.tuff("glm", "predict", self.path("m.json"), file, "--quiet", "--out", self.path("p.csv"))
            return [float(line) for line in Path(self.path("p.csv")).read_text().split()[1:]]
        for near, far in zip(predictions(0), predictions(1e12)):
            self.assertAlmostEqual(near, far, delta=1e-9)
        model = json.loads(Path(self.path("m.json")).read_text())
        del model["centre"], model["eta_at_centre"]
        Path(self.path("old.json")).write_text(json.dumps(model))  # as before: the intercept alone
        file = self.write(flights())
        self.tuff("glm", "predict", self.path("old.json"), file, "--quiet", "--out", self.path("q.csv"))

    def test_nulls_are_an_error_or_dropped(self):
        table = flights()
        delays = table["delay"].to_pylist()
        delays[123] = None
        file = self.write(table.set_column(0, "delay", pa.array(delays, pa.int64())))
        done = self.refused("null", "glm", "fit", file, "--target", "delay > 15")
        self.assertRegex(done.stderr, r"delay.*123")
        model = self.fit(file, "--target", "delay > 15", "--nulls", "drop")
        self.assertEqual(model["rows"], 19999)


class Predict(Cli):
    def test_gives_probabilities_in_every_format(self):
        table = flights()
        file = self.write(table)
        model = self.fit(file, "--target", "delay > 15", "--features", "hour,distance")
        X = np.column_stack([table["hour"], table["distance"]])
        want = 1 / (1 + np.exp(-(X @ np.array(list(model["coef"].values())) + model["intercept"])))
        for name in "p.npy", "p.csv", "p.parquet":
            self.tuff("glm", "predict", self.path("fit.json"), file, "--out", self.path(name))
        np.testing.assert_allclose(np.load(self.path("p.npy")), want, rtol=1e-12)
        np.testing.assert_allclose(pa.csv.read_csv(self.path("p.csv"))["probability"], want, rtol=1e-12)
        np.testing.assert_allclose(pa.parquet.read_table(self.path("p.parquet"))["probability"], want, rtol=1e-12)

    def test_refuses_what_is_no_model(self):
        file = self.write(flights())
        for text, what in ("{", "is no model"), ("{}", "is no model"), ('{"format": 9}', "has format 9"):
            Path(self.path("bad.json")).write_text(text)
            self.refused(what, "glm", "predict", self.path("bad.json"), file, "--out", self.path("p.npy"))
        self.refused("cannot be opened", "glm", "predict", self.path("none.json"), file, "--out", self.path("p.npy"))
        self.refused("accepted: .parquet, .csv, .npy", "glm", "predict", self.path("bad.json"), file, "--out",
                     self.path("p.xls"), code=2)


class BadInput(Cli):
    def test_usage_errors_have_exit_code_2(self):
        file = self.write(flights())
        for text, *arguments in [
            ["--threads", "glm", "fit", file, "--target", "delay > 15", "--threads", "0"],
            ["--target", "glm", "fit", file],
            ["no amount of memory", "glm", "fit", file, "--target", "delay", "--memory", "lots"],
            ["newton", "glm", "fit", file, "--target", "delay", "--solver", "magic"],
            ["no value after >", "glm", "fit", file, "--target", "delay >"],
            ["no column in", "glm", "fit", file, "--target", "> 15"],
            ["is not closed", "glm", "fit", file, "--target", "`delay > 15"],
            ["is not understood", "glm", "fit", file, "--target", "delay = 15"],
            ["--dashboard", "glm", "fit", file, "--target", "delay", "--dashboard", "65536"],
            ["--dashboard", "glm", "fit", file, "--target", "delay", "--dashboard=here"],
            ["subcommand", "glm"],
            ["--quite", "glm", "fit", file, "--target", "delay", "--quite"],
        ]:
            self.refused(text, *arguments, code=2)

    def test_names_what_is_wrong_with_the_files(self):
        good = self.write(flights(2000))
        whole = Path(good).read_bytes()
        Path(self.path("cut.parquet")).write_bytes(whole[: len(whole) // 2])
        Path(self.path("bad.parquet")).write_bytes(b"PAR1" + b"x" * 100 + b"PAR1")
        Path(self.path("short.csv")).write_text("delay,distance\n1,2\n3\n4,5\n")
        Path(self.path("text.csv")).write_text("delay,distance\n" + "1,2\n" * 300000 + "7,far\n")
        (self.folder / "folder").mkdir()
        (self.folder / "folder.parquet").mkdir()
        for text, name in [
            ("none.parquet", "none.parquet"),
            ("is a directory", "folder.parquet"),
            ("is a directory", "folder"),
            ("cut.parquet", "cut.parquet"),
            ("bad.parquet", "bad.parquet"),
        ]:
            self.refused(text, "glm", "fit", self.path(name), "--target", "delay > 15", "--features", "distance")
        done = self.refused("short.csv", "glm", "fit", self.path("short.csv"), "--target", "delay > 15")
        self.assertRegex(done.stderr, r"\b3\b")
        done = self.refused("text.csv", "glm", "fit", self.path("text.csv"), "--target", "delay > 15")
        self.assertIn("300002", done.stderr.replace(",", ""))
        self.assertIn("far", done.stderr)
        self.assertIn("distance", done.stderr)

    def test_names_what_is_wrong_with_the_columns(self):
        table = flights(500)
        constant = pa.array(np.full(500, 7))
        nan = table["hour"].to_numpy().copy()
        nan[17] = np.nan
        table = (table.append_column("constant", constant).append_column("copy", table["distance"])
                 .append_column("holes", pa.array(nan)))
        file = self.write(table)
        for text, *arguments in [
            ["distance", "--target", "delay > 15", "--features", "distnce"],
            ["'origin' holds text", "--target", "delay > 15", "--features", "origin"],
            ["'distance' is given twice", "--target", "delay > 15", "--features", "distance,distance"],
            ["feature 'constant' is constant (7)", "--target", "delay > 15", "--features", "constant,hour"],
            ["feature 'copy' is a linear combination of the other features (1 'distance')", "--target", "delay > 15", "--features", "distance,copy"],
            ["feature 'holes' is nan in row 17", "--target", "delay > 15", "--features", "holes"],
            ["the target has one class: every row is 0", "--target", "delay > 1000000", "--features", "hour"],
            ["accepts 0 and 1", "--target", "delay", "--features", "hour"],
            ["separable", "--target", "distance > 500", "--features", "distance"],
            ["is no number", "--target", "delay > late", "--features", "hour"],
            ["no row has 'ORD'", "--target", "origin == ORD", "--features", "hour"],
            ["does not order", "--target", "origin < SFO", "--features", "hour"],
            ["compare it with one of its values", "--target", "origin", "--features", "hour"],
        ]:
            self.refused(text, "glm", "fit", file, *arguments, "--json", self.path("fit.json"))
        empty = self.write(table.slice(0, 0), "empty.parquet")
        self.refused("no rows", "glm", "fit", empty, "--target", "delay > 15", "--features", "distance")

    def test_leaves_nothing_when_the_disk_is_full(self):
        file = self.write(flights())
        model = self.fit(file, "--target", "delay > 15", "--features", "distance")
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        for arguments in (
            ["glm", "fit", file, "--target", "delay > 15", "--json", self.path("new.json")],
            ["glm", "fit", file, "--target", "delay > 15", "--report", self.path("new.html")],
            ["glm", "fit", file, "--target", "delay > 15", "--trace", self.path("new.trace")],
            ["glm", "fit", file, "--target", "delay > 15", "--explain", self.path("new.txt")],
            ["glm", "fit", file, "--target", "delay > 15", "--json", self.path("fit.json")],
            ["glm", "predict", self.path("fit.json"), file, "--out", self.path("new.npy")],
            ["glm", "predict", self.path("fit.json"), file, "--out", self.path("new.csv")],
            ["glm", "predict", self.path("fit.json"), file, "--out", self.path("new.parquet")],
        ):
            self.refused("new" if "fit.json" not in arguments[-1] else "fit.json", *arguments, preexec_fn=limit)
        self.assertEqual(json.loads(Path(self.path("fit.json")).read_text()), model)

    def status_of(self, process, name):
        """A line of what the kernel knows of a process."""
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith(name + ":"))

    def test_stops_within_a_moment_of_ctrl_c(self):
        random = np.random.default_rng(1)
        table = pa.table({f"x{j}": random.normal(size=200_000) for j in range(64)} | {"y": random.integers(0, 2, 200_000)})
        file = self.write(table, "wide.parquet", compression="none")
        before = sorted(os.listdir(self.folder))
        for delay in (0, 0.1, 0.3, 0.5):
            run = subprocess.Popen([TUFF, "glm", "fit", file, "--target", "y", "--solver", "lbfgs", "--tol", "1e-300",
                                    "--max-iter", "1000000", "--json", self.path("fit.json")],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            # Not before main() has taken over the signal, however slowly the machine loads libraries.
            while run.poll() is None and not int(self.status_of(run, "SigCgt"), 16) & (1 << (signal.SIGINT - 1)):
                time.sleep(0.01)
            time.sleep(delay)
            run.send_signal(signal.SIGINT)
            start = time.monotonic()
            _, errors = run.communicate(timeout=30)
            # 0.3 s is the aim; machines that run tests have other work too.
            self.assertLess(time.monotonic() - start, 3)
            self.assertEqual(run.returncode, 1, errors)
            self.assertIn("tuff: interrupted; nothing was written", errors)
            self.assertEqual(sorted(os.listdir(self.folder)), before)


class Info(Cli):
    def test_says_what_there_is(self):
        out = self.tuff("info").stdout
        for text in "version", "instruction sets", "threads", "memory budget", "Arrow":
            self.assertIn(text, out)
        self.assertRegex(self.tuff("--version").stdout, r"tuff \d+\.\d+\.\d+")

    def test_help_of_every_command(self):
        for command in [], ["glm"], ["glm", "fit"], ["glm", "predict"], ["info"]:
            self.assertIn("Usage:", self.tuff(*command, "--help").stdout)


if __name__ == "__main__":
    unittest.main(verbosity=0)
