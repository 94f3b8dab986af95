"""`flights` for all systems: a whole process per repeat, from its start to its end, with the
largest memory it had. System `tuff` is the command line, the others are flights_fit.py.

The first repeat is cold in that the file may not be in the page cache. Standard library only: the
memory of a child counts from that of the process that starts it, so this one has to be small.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FLIGHTS = ROOT / ".cache" / "data" / "flights-3m.parquet"
COMMAND_LINE = ROOT / "build" / "bench" / "bin" / "tuff"
QUICK_ROWS = 100_000
ROWS = 3_000_000


def command_of(system, threads, flights, model):
    """What is run, and how its result is read."""
    if system != "tuff":
        program = [sys.executable, str(HERE / "flights_fit.py")]
        return program + ["--system", system, "--file", flights]
    if not COMMAND_LINE.exists():
        sys.exit(f"[flights] {COMMAND_LINE.relative_to(ROOT)} is not built; `make bench` builds it")
    command = [str(COMMAND_LINE), "glm", "fit", flights, "--target", "delay > 15"]
    command += ["--features", "distance", "--json", model, "--quiet"]
    return command + ["--threads", str(threads)]


def read_result(system, printed, model):
    """(coefficients and intercept, version)."""
    if system != "tuff":
        answer = json.loads(printed)
        return answer["result"], answer["version"]
    answer = json.loads(Path(model).read_text(encoding="utf-8"))
    version = subprocess.check_output([COMMAND_LINE, "--version"], text=True).split("\n")[0]
    return [*answer["coef"].values(), answer["intercept"]], version


def first_rows(path):
    """Writes the first rows of the file, by another process: this one stays small."""
    script = "import sys, pyarrow.parquet as p; "
    script += "p.write_table(p.read_table(sys.argv[1]).slice(0, int(sys.argv[3])), sys.argv[2])"
    command = [sys.executable, "-c", script, str(FLIGHTS), path, str(QUICK_ROWS)]
    subprocess.run(command, check=True)


def run_once(command):
    """(seconds, its resource usage, what it printed)."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=output)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            sys.exit(f"[flights] {' '.join(command)}: exit status {child.returncode}")
        output.seek(0)
        return seconds, usage, output.read().decode()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--system", required=True)
    parser.add_argument("--case", required=True, choices=["flights"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if not FLIGHTS.exists():
        sys.exit(f"[flights] no {FLIGHTS.relative_to(ROOT)}; `scripts/get_flights.sh` fetches it")
    with tempfile.TemporaryDirectory() as folder:
        flights, model = str(FLIGHTS), str(Path(folder) / "model.json")
        if options.quick:
            flights = str(Path(folder) / "flights.parquet")
            first_rows(flights)
        command = command_of(options.system, options.threads, flights, model)
        for repeat in range(options.repeats + 1):
            seconds, usage, printed = run_once(command)
            result, version = read_result(options.system, printed, model)
            row = {
                "bench": "glm",
                "case": options.case,
                "system": options.system,
                "threads": options.threads,
                "tasks": 0,
                "seconds": seconds,
                "bytes": 0,
                "peak_rss": usage.ru_maxrss * 1024,
                "result": result,
                "state": "warm" if repeat else "cold",
                "repeat": repeat,
                "elements": QUICK_ROWS if options.quick else ROWS,
                "faults": usage.ru_minflt,
                "version": version,
            }
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
