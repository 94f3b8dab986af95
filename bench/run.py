#!/usr/bin/env python3
"""Runs one question of bench/ with all its peers, prints a table with ratios, and writes one JSON
line per case and repeat to bench/out/<question>.jsonl.

    bench/run.py arrays [--case sum ...] [--system tuff ...]
    BENCH_QUICK=1 bench/run.py arrays      small inputs, few repeats: shows that everything works

bench/<question>/question.json lists the cases, the systems, how results are compared, and the
targets; bench/README.md explains the method. Needs only the standard library; `make bench` builds
our own programs first. Exit status 1: a system is missing or failed, or results disagree.
"""

import argparse
import datetime
import json
import math
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
PROGRAMS = ROOT / "build" / "bench" / "bench"
C_PEERS = ROOT / "build" / "bench-peers"
PYTHON = ROOT / ".cache" / "bench-venv" / "bin" / "python"

ROW_TYPES = {
    "bench": str,
    "case": str,
    "system": str,
    "threads": int,
    "tasks": int,
    "seconds": (int, float),
    "bytes": (int, float),
    "peak_rss": (int, float),
    "result": list,
    "state": str,
}

# CPUs that other processes may keep busy before a run is called disturbed. The counters tick in
# hundredths of a second, and an idle Debian takes about 0.01.
QUIET_CPUS = 0.05

# Standard errors by which a sum of random numbers may miss its expectation: by chance once in 1.7
# million runs.
RANDOM_SUM_ERRORS = 5

CHILD_TIMEOUT_SECONDS = 900

# glibc keeps what is freed instead of handing it back to the system: no block is mapped on its own
# (threshold 4 GiB), the heap never shrinks, grows by 256 MiB, and is shared by all threads.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "MALLOC_TOP_PAD_": str(256 << 20),
    "MALLOC_ARENA_MAX": "1",
}

# What a caller's shell may not decide for the peers.
CLEARED_PREFIXES = (
    "MALLOC_",
    "GLIBC_TUNABLES",
    "OMP_",
    "GOMP_",
    "OPENBLAS_",
    "NUMEXPR_",
    "DASK_",
    "TUFF_",
)


# ---------------------------------------------------------------------------------- rows


def parse_row(line, expected):
    """One line of a benchmark program as a dict; ValueError says what is wrong with it.

    `expected` holds the values that some keys must have.
    """

    def refuse(constant):
        raise ValueError(f"{constant} is not JSON")

    row = json.loads(line, parse_constant=refuse)
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    for key, kind in ROW_TYPES.items():
        if key not in row:
            raise ValueError(f"no key {key!r}")
        if not isinstance(row[key], kind) or isinstance(row[key], bool):
            raise ValueError(f"{key!r} is {row[key]!r}")
    for key, value in expected.items():
        if row[key] != value:
            raise ValueError(f"{key!r} is {row[key]!r}, asked for {value!r}")
    if row["state"] not in ("cold", "warm"):
        raise ValueError(f"'state' is {row['state']!r}")
    if row["seconds"] <= 0:
        raise ValueError(f"'seconds' is {row['seconds']!r}")
    white_space = row.get("white_space", 0)
    if not isinstance(white_space, (int, float)) or not 0 <= white_space <= 1:
        raise ValueError(f"'white_space' is {white_space!r}")
    peak_live = row.get("peak_live", 0)
    if not isinstance(peak_live, int) or isinstance(peak_live, bool) or peak_live < 0:
        raise ValueError(f"'peak_live' is {peak_live!r}")
    return row


def summarize(rows):
    """One summary per (case, system, threads), in the order in which they first appear."""
    groups = {}
    for row in rows:
        groups.setdefault((row["case"], row["system"], row["threads"]), []).append(row)
    summaries = []
    for (case, system, threads), group in groups.items():
        cold = [row["seconds"] for row in group if row["state"] == "cold"]
        warm = [row["seconds"] for row in group if row["state"] == "warm"]
        white_space = [row["white_space"] for row in group if "white_space" in row]
        summaries.append(
            {
                "case": case,
                "system": system,
                "threads": threads,
                "tasks": group[-1]["tasks"],
                "cold": statistics.median(cold) if cold else None,
                "warm": statistics.median(warm) if warm else None,
                "fastest": min(warm, default=None),
                "slowest": max(warm, default=None),
                "repeats": len(warm),
                "bytes": group[-1]["bytes"],
                "peak_rss": max(row["peak_rss"] for row in group),
                "white_space": statistics.median(white_space) if white_space else None,
                "peak_live": max((r["peak_live"] for r in group if "peak_live" in r), default=None),
                "foreign_cpu": max(row["foreign_cpu"] for row in group),
            }
        )
    return summaries


def find(summaries, case, system, threads=None):
    """The summary of a system on a case, with the most threads or with as many as are asked for; None
    if it did not run."""
    of_system = [s for s in summaries if s["case"] == case and s["system"] == system]
    if threads is not None:
        of_system = [s for s in of_system if s["threads"] == threads]
    return max(of_system, key=lambda s: s["threads"], default=None)


def ratio(seconds, reference):
    """How many times as long as the reference; None where either is missing."""
    if seconds is None or reference is None or reference["warm"] is None:
        return None
    return seconds / reference["warm"]


# ---------------------------------------------------------------------------------- agreement


def disagreements(case, check, rows):
    """Sentences that say which systems computed something else on a case; empty if all agree.

    `check` is the case's entry in question.json: under `relative_tolerance` each figure is compared
    with the median over systems, so that one wrong system cannot make the others look wrong
    (`absolute_tolerance` is added, for figures that may be near 0); under `random_sum` with the
    expectation of a sum of independent numbers.
    """
    rows = [row for row in rows if row["case"] == case]
    found = []
    finite = []
    for row in rows:
        if not row["result"] or any(v is None or not math.isfinite(v) for v in row["result"]):
            found.append(f"{row['system']}: result {row['result']} is not finite")
        else:
            finite.append(row)
    if "random_sum" in check:
        found += random_sum_misses(check["random_sum"], finite)
    elif "relative_tolerance" in check:
        found += median_misses(*tolerances(check), finite)
    return list(dict.fromkeys(found))


def agreement(case, check, rows, wrong):
    """The sentence below a table on whether its systems computed the same."""
    systems = {row["system"] for row in rows if row["case"] == case}
    if wrong:
        return "*** RESULTS DISAGREE: " + "; ".join(wrong) + " ***"
    if "random_sum" in check:
        return (
            f"Sums of {len(systems)} systems are within {RANDOM_SUM_ERRORS} standard errors "
            "of their expectation."
        )
    if "relative_tolerance" not in check:
        return "There is no result to compare."
    if len(systems) < 2:
        return "One system ran: its result is compared with no other."
    relative, absolute = tolerances(check)
    margin = f" of their size plus {absolute:g}" if absolute else ""
    return f"Results of {len(systems)} systems agree to {relative:g}{margin}."


def tolerances(check):
    """(relative, absolute)."""
    return check["relative_tolerance"], check.get("absolute_tolerance", 0)


def random_sum_misses(expected, rows):
    misses = []
    for row in rows:
        n = row["elements"]
        error = (row["result"][0] - n * expected["mean"]) / (math.sqrt(n) * expected["deviation"])
        if abs(error) > RANDOM_SUM_ERRORS:
            misses.append(
                f"{row['system']}: {row['result'][0]!r} misses the expected "
                f"{n * expected['mean']:.10g} by {error:+.1f} standard errors"
            )
    return misses


def median_misses(relative, absolute, rows):
    first_of_system = {}
    for row in rows:
        first_of_system.setdefault(row["system"], row["result"])
    lengths = {len(result) for result in first_of_system.values()}
    if len(lengths) > 1:
        return [
            f"results of different lengths: { {s: len(r) for s, r in first_of_system.items()} }"
        ]
    medians = [statistics.median(figures) for figures in zip(*first_of_system.values())]
    misses = []
    for row in rows:
        for i, (figure, median) in enumerate(zip(row["result"], medians)):
            if abs(figure - median) > relative * abs(median) + absolute:
                misses.append(
                    f"{row['system']}: figure {i} is {figure!r}, "
                    f"the median of all systems {median!r}"
                )
    return misses


# ---------------------------------------------------------------------------------- targets


def judge(target, summaries):
    """(what is asked, what was measured, True, False or None where something did not run)."""
    case = target["case"]
    ours = find(summaries, case, "tuff")
    if "ahead_of" in target:
        return judge_ahead(ours, case, target["ahead_of"], summaries)
    if "peak_rss_at_most" in target:
        limit = target["peak_rss_at_most"]
        asked = f"peak RSS at most {format_bytes(limit)}"
        if ours is None:
            return asked, "-", None
        return asked, format_bytes(ours["peak_rss"]), ours["peak_rss"] <= limit
    if "white_space_at_most" in target:
        return judge_white_space(ours, target["white_space_at_most"])
    if "live_per_thread_at_most" in target:
        return judge_live(ours, target["live_per_thread_at_most"])
    limit = target["seconds_at_most"]
    if "times" not in target:
        asked = f"at most {format_seconds(limit)}"
        if ours is None or ours["warm"] is None:
            return asked, "-", None
        return asked, format_spread(ours), ours["warm"] <= limit
    peer_case = target["times"].get("case", case)
    peer_threads = target["times"].get("threads")
    peer = find(summaries, peer_case, target["times"]["system"], peer_threads)
    name = target["times"]["system"] + (f" on `{peer_case}`" if peer_case != case else "")
    name += f" with {peer_threads} thread{'s' * (peer_threads > 1)}" if peer_threads is not None else ""
    asked = f"at most {limit:g} x {name}"
    times = ratio(ours and ours["warm"], peer)
    if times is None:
        return asked, "-", None
    measured = f"{times:.2f} x: {format_spread(ours)} / {format_spread(peer)}"
    return asked, measured, times <= limit


def judge_white_space(ours, limit):
    asked = f"white space at most {limit:.1%}"
    if ours is None or ours["white_space"] is None:
        return asked, "-", None
    return asked, f"{ours['white_space']:.1%}", ours["white_space"] <= limit


def judge_live(ours, limit):
    asked = f"at most {limit:g} live blocks per thread"
    if ours is None or ours["peak_live"] is None:
        return asked, "-", None
    measured = f"{ours['peak_live']} with {ours['threads']} threads"
    return asked, measured, ours["peak_live"] <= limit * ours["threads"]


def judge_ahead(ours, case, rivals, summaries):
    asked = "ahead of " + ", ".join(rivals)
    found = [
        s
        for s in summaries
        if s["case"] == case and s["system"] in rivals and s["warm"] is not None
    ]
    if ours is None or ours["warm"] is None or {s["system"] for s in found} != set(rivals):
        return asked, "-", None
    best = min(found, key=lambda s: s["warm"])
    measured = (
        f"{best['warm'] / ours['warm']:.2f} x faster than the best, {best['system']} "
        f"with {best['threads']} threads: {format_spread(ours)} / {format_spread(best)}"
    )
    return asked, measured, ours["warm"] < best["warm"]


# ---------------------------------------------------------------------------------- text


def format_seconds(seconds):
    if seconds is None:
        return "-"
    for unit, scale in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def format_spread(summary):
    if summary["warm"] is None:
        return "-"
    return (
        f"{format_seconds(summary['warm'])} "
        f"({format_seconds(summary['fastest'])} .. {format_seconds(summary['slowest'])})"
    )


def format_bytes(count):
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def format_ratio(value):
    if value is None:
        return "-"
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def markdown(header, rows):
    """A Markdown table whose columns line up when read as plain text."""
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"
        for line in lines
    )


def case_table(case, summaries):
    """The table of one case. Ratios: of warm medians, to tuff and to c with their most threads."""
    references = {
        name: find(summaries, case, name)
        for name in ("tuff", "c")
        if any(s["system"] == name for s in summaries)
    }
    of_case = [s for s in summaries if s["case"] == case]
    live = ["peak live"] if any(s["peak_live"] is not None for s in of_case) else []
    header = ["system", "threads", "tasks", "cold", "warm (min .. max)", "n", "GB/s", "peak RSS"]
    header += live + [f"x {name}" for name in references] + ["foreign CPUs"]
    lines = []
    for s in of_case:
        speed = f"{s['bytes'] / s['warm'] / 1e9:.2f}" if s["warm"] and s["bytes"] else "-"
        lines.append(
            [
                s["system"],
                str(s["threads"]),
                str(s["tasks"]) if s["tasks"] else "-",
                format_seconds(s["cold"]),
                format_spread(s),
                str(s["repeats"]),
                speed,
                format_bytes(s["peak_rss"]),
                *(["-" if s["peak_live"] is None else str(s["peak_live"])] if live else []),
                *(format_ratio(ratio(s["warm"], reference)) for reference in references.values()),
                f"{s['foreign_cpu']:.2f}",
            ]
        )
    return markdown(header, lines)


def target_table(targets, summaries, quick):
    lines = []
    for target in targets:
        asked, measured, met = judge(target, summaries)
        asked += " (stretch)" * target.get("stretch", False)
        verdict = (
            "not run"
            if met is None
            else "quick: not judged"
            if quick
            else "met"
            if met
            else "MISSED"
        )
        lines.append([target["case"], asked, measured, verdict])
    return markdown(["case", "target for tuff, warm", "measured", "verdict"], lines)


def noise_report(rows):
    """A sentence on the other processes' CPU use during the runs."""
    worst = max(rows, key=lambda row: row["foreign_cpu"])
    disturbed = sum(row["foreign_cpu"] > QUIET_CPUS for row in rows)
    where = f"{worst['case']}, {worst['system']}, {worst['threads']} threads"
    if disturbed == 0:
        return f"Quiet: other processes took at most {worst['foreign_cpu']:.2f} CPUs ({where})."
    return (
        f"*** THE MACHINE WAS NOT QUIET: other processes took more than {QUIET_CPUS} CPUs during "
        f"{disturbed} of {len(rows)} repeats, at worst {worst['foreign_cpu']:.2f} CPUs ({where}). "
        "DO NOT QUOTE THESE FIGURES. ***"
    )


# ---------------------------------------------------------------------------------- machine


def busy_cpu_seconds(proc_stat, ticks_per_second):
    """CPU seconds spent by anybody since boot, stolen ones too, from the text of /proc/stat."""
    fields = proc_stat.split("\n", 1)[0].split()
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(f) for f in fields[1:9])
    return (user + nice + system + irq + softirq + steal) / ticks_per_second


def cpu_clock():
    """(CPU seconds spent by anybody, CPU seconds spent here)."""
    text = Path("/proc/stat").read_text(encoding="ascii")
    return busy_cpu_seconds(text, os.sysconf("SC_CLK_TCK")), time.process_time()


def first_match(path, prefix):
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith(prefix):
            return line.split(":", 1)[1].strip()
    return "unknown"


def describe_machine():
    memory = int(first_match("/proc/meminfo", "MemTotal").split()[0]) * 1024
    pages = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    chosen = (
        pages.read_text(encoding="ascii").split("[")[1].split("]")[0]
        if pages.exists()
        else "unknown"
    )
    return (
        f"{first_match('/proc/cpuinfo', 'model name')}, {os.cpu_count()} CPUs, "
        f"{memory / 2**30:.0f} GiB, "
        f"{platform.system()} {platform.release()}, huge pages: {chosen}"
    )


def describe_commit():
    def git(*arguments):
        return subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
        ).stdout.strip()

    return (git("rev-parse", "--short", "HEAD") or "unknown") + (
        " with changes" if git("status", "-s") else ""
    )


# ---------------------------------------------------------------------------------- running


class Failure(Exception):
    """A system that cannot be run, or whose run went wrong."""


def prepare(name, system, folder):
    """The command of a system, without its arguments; compiles a C peer."""
    if "program" in system:
        program = PROGRAMS / folder.name / system["program"]
        if not program.exists():
            raise Failure(
                f"{name}: {program.relative_to(ROOT)} is not built; `make bench` builds it"
            )
        return [str(program)]
    if "python" in system:
        if not PYTHON.exists():
            raise Failure(
                f"{name}: no {PYTHON.relative_to(ROOT)}; `scripts/bootstrap.sh bench` makes it"
            )
        return [str(PYTHON), str(folder / system["python"]), "--system", name]
    C_PEERS.mkdir(parents=True, exist_ok=True)
    program = C_PEERS / f"{folder.name}_{name}"
    command = [
        "gcc",
        *shlex.split(system["c_flags"]),
        f"-I{ROOT}",
        str(folder / system["c_source"]),
    ]
    command += ["-o", str(program), *shlex.split(system["c_libraries"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{name}: {' '.join(command)}\n{done.stderr}")
    return [str(program)]


def commands_of(name, system, folder, cases):
    """The command of a system for each case: the usual one, or that of `python_by_case` or
    `program_by_case`."""
    commands = dict.fromkeys(cases, prepare(name, system, folder))
    for kind in ("python", "program"):
        for case, program in system.get(f"{kind}_by_case", {}).items():
            if case in commands:
                commands[case] = prepare(name, {kind: program}, folder)
    return commands


def environment(system, threads):
    """The caller's environment without what would change a peer, plus what this system is given."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(CLEARED_PREFIXES)}
    kept |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": str(threads)}
    kept |= {"OPENBLAS_NUM_THREADS": str(threads), "NUMEXPR_MAX_THREADS": str(threads)}
    if system.get("keeps_memory"):
        kept |= KEEP_MEMORY
    return kept | system.get("environment", {})


def run_child(command, system, expected):
    """One process: its rows, with the CPUs that other processes kept busy meanwhile."""
    with tempfile.TemporaryFile() as errors:
        clock, (busy, own) = time.monotonic(), cpu_clock()
        child = subprocess.Popen(
            command,
            env=environment(system, expected["threads"]),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        timer = threading.Timer(CHILD_TIMEOUT_SECONDS, child.kill)
        timer.start()
        with child.stdout:
            lines = child.stdout.read().splitlines()
        _, status, usage = os.wait4(child.pid, 0)
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        clock, (busy_after, own_after) = time.monotonic() - clock, cpu_clock()
        errors.seek(0)
        tail = errors.read().decode(errors="replace")[-2000:]
    if child.returncode != 0:
        raise Failure(f"{' '.join(command)}: exit status {child.returncode}\n{tail}")
    ours = own_after - own + usage.ru_utime + usage.ru_stime
    foreign = max(0.0, busy_after - busy - ours) / clock
    try:
        rows = [parse_row(line, expected) for line in lines]
    except ValueError as error:
        raise Failure(f"{' '.join(command)}: {error}") from error
    return [row | {"foreign_cpu": round(foreign, 3)} for row in rows]


def rounds_of(question, name):
    """How many rounds a system takes part in: all, or as many as it bears."""
    return question["systems"][name].get("rounds", question["rounds"])


def jobs_of(question, cases, systems, quick):
    """(case, system, threads, repeats) in the order in which to run them.

    Systems take turns, round after round, and each second round goes backwards: what slows the
    machine for a while slows all of them.
    """
    jobs = []
    for case in cases:
        entry = question["cases"][case]
        turns = []
        for name in systems:
            system = question["systems"][name]
            if name not in entry.get("systems", question["systems"]):
                continue
            repeats = entry.get("repeats", question["repeats"])
            repeats = system.get("repeats_by_case", {}).get(case, repeats)
            threads = system.get("threads_by_case", {}).get(case, system["threads"])
            for count in [max(threads)] if quick else threads:
                turns.append((case, name, count, min(repeats, 2) if quick else repeats))
        for number in range(1 if quick else question["rounds"]):
            now = [t for t in turns if number < rounds_of(question, t[1])]
            jobs += [(number, *turn) for turn in (now if number % 2 == 0 else reversed(now))]
    return jobs


def measure(question, folder, cases, systems, quick, out):
    """Runs everything and writes the rows. Returns (rows, what went wrong)."""
    commands, problems, rows = {}, [], []
    for name in systems:
        try:
            commands[name] = commands_of(name, question["systems"][name], folder, cases)
        except Failure as failure:
            problems.append(str(failure))
    jobs = jobs_of(question, cases, list(commands), quick)
    for i, (number, case, name, threads, repeats) in enumerate(jobs):
        print(
            f"[{i + 1}/{len(jobs)}] {case}, {name}, {threads} threads", file=sys.stderr, flush=True
        )
        command = commands[name][case] + [
            "--case",
            case,
            "--threads",
            str(threads),
            "--repeats",
            str(repeats),
        ]
        expected = {"bench": folder.name, "case": case, "system": name, "threads": threads}
        try:
            fresh = run_child(command + ["--quick"] * quick, question["systems"][name], expected)
        except Failure as failure:
            problems.append(str(failure))
            continue
        for row in fresh:
            row |= {"round": number, "quick": quick}
            out.write(json.dumps(row, allow_nan=False) + "\n")
        out.flush()
        rows += fresh
    order = {name: i for i, name in enumerate(question["systems"])}
    rows.sort(key=lambda row: (cases.index(row["case"]), order[row["system"]], row["threads"]))
    return rows, problems


def report(question, cases, rows, problems, quick):
    """Prints tables and verdicts. Returns the problems, disagreements added."""
    summaries = summarize(rows)
    for case in cases:
        print(f"\n### {case}\n\n{case_table(case, summaries)}")
        check = question["cases"][case]
        wrong = disagreements(case, check, rows)
        print(f"\n{agreement(case, check, rows, wrong)}")
        problems += wrong
    targets = [target for target in question["targets"] if target["case"] in cases]
    if targets:
        print(f"\n### Targets\n\n{target_table(targets, summaries, quick)}")
    print(f"\n{noise_report(rows)}")
    return problems


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument(
        "question", choices=sorted(p.parent.name for p in BENCH.glob("*/question.json"))
    )
    parser.add_argument("--case", nargs="+", default=[], metavar="CASE", help="only these cases")
    parser.add_argument(
        "--system", nargs="+", default=[], metavar="SYSTEM", help="only these systems"
    )
    return parser.parse_args(argv)


def chosen(wanted, known, what):
    unknown = [name for name in wanted if name not in known]
    if unknown:
        sys.exit(f"[bench] no {what} {', '.join(unknown)}; there are {', '.join(known)}")
    return [name for name in known if not wanted or name in wanted]


def main(argv):
    arguments = parse_arguments(argv)
    quick = os.environ.get("BENCH_QUICK", "0") not in ("", "0")
    folder = BENCH / arguments.question
    question = json.loads((folder / "question.json").read_text(encoding="utf-8"))
    cases = chosen(arguments.case, question["cases"], "case")
    systems = chosen(arguments.system, question["systems"], "system")
    now = datetime.datetime.now(datetime.timezone.utc)
    path = BENCH / "out" / f"{folder.name}.jsonl"
    path.parent.mkdir(exist_ok=True)

    print(f"## {folder.name}: {question['question']}\n")
    print(f"- command: `{'BENCH_QUICK=1 ' * quick}bench/run.py {' '.join(argv)}`")
    print(f"- date: {now:%Y-%m-%d %H:%M} UTC, commit {describe_commit()}")
    print(f"- machine: {describe_machine()}")
    if quick:
        print(
            "- quick: small inputs and few repeats; shows that everything works, not how fast it is"
        )
    sys.stdout.flush()

    with path.open("w", encoding="utf-8") as out:
        rows, problems = measure(question, folder, cases, systems, quick, out)
    if rows:
        versions = sorted({f"{row['system']}: {row.get('version', 'unknown')}" for row in rows})
        print("- versions: " + "; ".join(versions))
        problems = report(question, cases, rows, problems, quick)
    for problem in problems:
        print(f"*** {problem}")
    print(f"\n{len(rows)} rows in {path.relative_to(ROOT)}.")
    return 1 if problems or not rows else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
