#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Validation suites: everything is predicted before anything runs, a validation that was interrupted
leaves nothing running and goes on where it was, the report says what the files say, and wrong suites
are refused with their place. With "smoke": tests/validation/smoke.json from calibration to report
(skipped, status 77, where there are no testbeds).

usage: validate.py LOCKSTEP SOURCE [smoke]"""
import glob
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from paper_machine import MACHINE

LOCKSTEP, SOURCE = sys.argv[1:3]
SUITE = {
    "schema": "lockstep.suite/1", "name": "tiny", "rounds": 2, "seconds": 0.1,
    "cases": [{"name": "here", "job": {"network": "lenet5", "batch": 16},
               "grid": {"job/ranks": [1, 2], "job/overlap": [True, False]}},
              {"name": "more", "job": {"network": "lenet5", "batch": 32, "iterations": 12}}]}
NAMES = ["here-ranks=1-overlap=true", "here-ranks=1-overlap=false", "here-ranks=2-overlap=true",
         "here-ranks=2-overlap=false", "more"]
FAULTS = []


def check(condition, text):
    if not condition:
        FAULTS.append(text)


def write(path, content):
    with open(path, "w") as file:
        json.dump(content, file)
    return path


def load(path):
    with open(path) as file:
        return json.load(file)


def run(arguments, timeout=240):
    return subprocess.run([LOCKSTEP, *arguments], capture_output=True, text=True, timeout=timeout)


def processes():
    """Of this program."""
    found = set()
    for path in glob.glob("/proc/[0-9]*"):
        try:
            if os.path.realpath(path + "/exe") == os.path.realpath(LOCKSTEP):
                found.add(int(path[6:]))
        except OSError:
            pass
    return found


def near(a, b):
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b), 1e-9)


def check_report(report, work, rounds):
    """Every figure again, from the files of predictions and measurements."""
    errors = []
    for case in report["cases"]:
        name = case["name"]
        predicted = load(f"{work}/{name}.predicted.json")["summary"]
        seconds = [load(path)["summary"]["iteration_seconds"]["mean"]
                   for path in sorted(glob.glob(f"{work}/{name}.measured.*.json"))]
        check(len(seconds) == rounds, f"{name}: {len(seconds)} rounds, expected {rounds}")
        measured = statistics.median(seconds)
        error = predicted["iteration_seconds"]["mean"] / measured - 1
        errors.append(abs(error))
        low, high = predicted["interval_90"]
        check(near(case["error"], error), f"{name}: error {case['error']}, expected {error}")
        check(case["covered"] == (low <= measured <= high), f"{name}: covered {case['covered']}")
        check(case["rounds"] == seconds, f"{name}: rounds {case['rounds']}, expected {seconds}")
        check(case["predicted_first"], f"{name}: was not predicted first")
        parts = case["errors"]
        check(near(parts["compute"] + parts["exposed"] + parts["idle"], error),
              f"{name}: the parts' errors do not add up: {parts}")
    summary = report["summary"]
    check(summary["cases"] == len(errors), f"{summary['cases']} cases")
    check(near(summary["mean_absolute_error"], statistics.mean(errors)), "mean of errors")
    check(near(summary["worst_absolute_error"], max(errors)), "worst of errors")
    for key in ("p90_absolute_error", "coverage_90", "mean_regret", "mean_kendall_tau"):
        check(isinstance(summary[key], float) or summary[key] in (0, 1), f"no {key}: {summary}")


def whole(root, suite, machine):
    work, out, plot = f"{root}/work", f"{root}/report.json", f"{root}/plot.svg"
    command = ["validate", suite, "--machine", machine, "--out", out, "--work", work]
    done = run([*command, "--rounds", "0"])
    check(done.returncode == 1 and not glob.glob(f"{work}/*.measured.*"),
          f"only predicted: status {done.returncode}, {done.stderr}")
    check(sorted(glob.glob(f"{work}/*.predicted.json")) ==
          sorted(f"{work}/{name}.predicted.json" for name in NAMES), "the predictions")
    time.sleep(1)  # times in results are whole seconds
    done = run([*command, "--plot", plot])
    check(done.returncode == 0, f"status {done.returncode}: {done.stderr}")
    report = load(out)
    check([case["name"] for case in report["cases"]] == NAMES, "the cases of the report")
    check_report(report, work, 2)
    check(len(report["groups"]) == 2, f"groups: {report['groups']}")
    check(any("not measured" in flag for flag in report["cases"][0]["flags"]),
          f"flags: {report['cases'][0]['flags']}")
    check("! outside what was calibrated" in done.stdout, f"the table: {done.stdout}")
    with open(plot) as file:
        check(file.read().count("<rect") == 1 + len(NAMES), "the plot has an interval per case")

    before = {path: os.stat(path).st_mtime_ns for path in glob.glob(f"{work}/*.json")}
    redone = f"{work}/more.measured.2.json"
    os.remove(redone)
    done = run(command)
    changed = [path for path in glob.glob(f"{work}/*.json")
               if os.stat(path).st_mtime_ns != before.get(path)]
    check(done.returncode == 0 and changed == [redone], f"done again: {changed}, {done.stderr}")

    done = run([*command, "--max-error", "0.001%"])
    check(done.returncode == 1, f"beyond the bound: status {done.returncode}")
    other = json.loads(json.dumps(SUITE))
    other["cases"][1]["job"]["batch"] = 64
    done = run(["validate", write(f"{root}/other.json", other), *command[2:]])
    check(done.returncode == 2 and "more.predicted.json" in done.stderr,
          f"another suite's folder: {done.returncode}, {done.stderr}")


def interrupted(root, machine):
    """Ctrl-C goes to the whole group of a terminal's job."""
    long = {**SUITE, "rounds": 1, "seconds": 600,
            "cases": [{"name": "long", "job": {"network": "lenet5", "ranks": 2, "batch": 16}}]}
    work = f"{root}/long"
    before = processes()
    command = ["validate", write(f"{root}/long.json", long), "--machine", machine,
               "--out", f"{root}/long-report.json", "--work", work]
    for sign, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143),
                         (signal.SIGKILL, -signal.SIGKILL)):
        validate = subprocess.Popen([LOCKSTEP, *command], stderr=subprocess.PIPE, text=True,
                                    stdout=subprocess.PIPE, start_new_session=True)
        end = time.monotonic() + 30  # validate, train, two ranks
        while len(processes() - before) < 4 and time.monotonic() < end:
            time.sleep(0.05)
        check(len(processes() - before) >= 4, "the ranks did not start")
        time.sleep(0.3)
        os.killpg(validate.pid, sign)
        validate.communicate(timeout=30)
        check(validate.returncode == status, f"{sign}: status {validate.returncode}")
        end = time.monotonic() + 10
        while processes() - before and time.monotonic() < end:
            time.sleep(0.05)
        check(not processes() - before, f"{sign}: left {processes() - before}")
        check(not glob.glob(f"{work}/*.measured.*") and not os.path.exists(f"{root}/long-report.json"),
              f"{sign}: left half a result")


def bad_input(root, suite, machine):
    def suite_with(**changes):
        bad = {**SUITE, **changes}
        return write(f"{root}/bad.json", {key: bad[key] for key in bad if bad[key] is not None})

    def case_with(**changes):
        return suite_with(cases=[{**SUITE["cases"][1], **changes}])

    out = ["--out", f"{root}/bad-report.json", "--machine", machine]
    several = {"name": "pair", "generate": {"star": {
        "hosts": 2, "bandwidth": "1 Gbit/s", "latency": "0 us"}}}
    cases = [(lambda: ["validate", *out], ["expected a suite"]),
             (lambda: ["validate", suite], ["--out"]),
             (lambda: ["validate", "nothing.json", *out], ["nothing.json"]),
             (lambda: ["validate", suite, *out, "--machine", "nothing.json"], ["--machine"]),
             (lambda: ["validate", suite, *out, "--only", "nobody"], ["--only", "nobody"]),
             (lambda: ["validate", suite, *out, "--rounds", "-1"], ["--rounds"]),
             (lambda: ["validate", suite_with(schema="lockstep.suite/2"), *out], ["/schema"]),
             (lambda: ["validate", suite_with(cases=[]), *out], ["/cases"]),
             (lambda: ["validate", suite_with(rounds=0), *out], ["/rounds"]),
             (lambda: ["validate", suite_with(cases=2 * SUITE["cases"][1:]), *out],
              ["two cases", "more"]),
             (lambda: ["validate", case_with(jop={}), *out], ["/cases/0", "jop"]),
             (lambda: ["validate", case_with(job={"rank": 2}), *out], ["/cases/0", "rank"]),
             (lambda: ["validate", case_with(grid={"job/ranks": []}), *out], ["/grid/job/ranks"]),
             (lambda: ["validate", case_with(job={"topology": "star_8_1gbit"}, topology=several),
                       *out], ["/topology", "star_8_1gbit"]),
             (lambda: ["validate", case_with(topology=several, testbed=False), *out],
              ["/testbed", "several hosts"]),
             (lambda: ["validate", case_with(grid={}, list=[{}]), *out], ["grid, list"])]
    for arguments, words in cases:
        done = run(arguments())
        check(done.returncode == 2 and all(word in done.stderr for word in words),
              f"{words}: status {done.returncode}, {done.stderr.strip()!r}")


def failing(root, machine):
    """A case that cannot run is told and reported; the others run."""
    suite = {**SUITE, "rounds": 1, "cases": [
        SUITE["cases"][1],
        {"name": "no-images", "job": {"network": "lenet5", "data": "/nowhere"}}]}
    out = f"{root}/failing-report.json"
    done = run(["validate", write(f"{root}/failing.json", suite), "--machine", machine,
                "--out", out])
    report = load(out)
    check(done.returncode == 1, f"a case fails: status {done.returncode}")
    check([case["name"] for case in report["cases"]] == ["more"], "the case that ran")
    check(report["failed"][0]["name"] == "no-images" and "/nowhere" in report["failed"][0]["why"],
          f"the case that failed: {report['failed']}")


def smoke(root):
    check_testbed = run(["testbed", "check"])
    if check_testbed.returncode != 0:
        print("skipped: no testbeds here:", check_testbed.stdout, check_testbed.stderr)
        sys.exit(77)
    out, work = f"{root}/report.json", f"{root}/work"
    done = run(["validate", f"{SOURCE}/tests/validation/smoke.json", "--out", out, "--work", work],
               timeout=280)
    check(done.returncode == 0, f"status {done.returncode}: {done.stderr}")
    if done.returncode == 0:
        print(done.stdout)
        check_report(load(out), work, 1)
        check(load(out)["summary"]["flagged"] == 0, "cases outside what was calibrated for them")


def main():
    with tempfile.TemporaryDirectory() as root:
        if "smoke" in sys.argv:
            smoke(root)
        else:
            machine = write(f"{root}/machine.json", MACHINE)
            suite = write(f"{root}/suite.json", SUITE)
            whole(root, suite, machine)
            interrupted(root, machine)
            bad_input(root, suite, machine)
            failing(root, machine)
    for fault in FAULTS:
        print(fault)
    return 1 if FAULTS else 0


sys.exit(main())
