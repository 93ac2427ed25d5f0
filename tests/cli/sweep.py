#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sweeps: a line for each configuration, the same file whether interrupted, divided or on how many
threads; each line says what lockstep simulate says; wrong input is refused with its place.

usage: sweep.py LOCKSTEP"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from paper_machine import MACHINE

LOCKSTEP = sys.argv[1]
GRID = {
    "job": {"network": "lenet5", "ranks": 4, "batch": 64, "topology": "star_8_1gbit"},
    "grid": {"job/algorithm": ["ring", "halving-doubling", "binomial-tree"],
             "job/ranks": [2, 3, 4, 100],
             "machine/message/latency": ["10 us", "200 us"]}}
FAULTS = []


def check(condition, text):
    if not condition:
        FAULTS.append(text)


class Folder:
    def __init__(self, root):
        self.root = root
        self.machine = self.write("machine.json", MACHINE)

    def write(self, name, content):
        with open(self.path(name), "w") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        return self.path(name)

    def path(self, name):
        return os.path.join(self.root, name)

    def read(self, name):
        with open(self.path(name)) as file:
            return file.read()

    def sweep(self, sweep, out, *more, status=0):
        done = subprocess.run([LOCKSTEP, "sweep", sweep, "--machine", self.machine, "--out",
                               self.path(out), *more], capture_output=True, text=True, timeout=120)
        check(done.returncode == status,
              f"sweep {' '.join(more)}: status {done.returncode}, expected {status}: {done.stderr}")
        return done


def check_grid(folder):
    grid = folder.write("grid.json", GRID)
    folder.sweep(grid, "all.jsonl", "--threads", "2")
    lines = [json.loads(line) for line in folder.read("all.jsonl").splitlines()]
    check(len(lines) == 1 + 24 and lines[0]["configurations"] == 24, "the grid has 24 configurations")
    check([line["configuration"] for line in lines[1:]] == list(range(24)), "lines are in order")
    check(lines[1]["set"] == {"job/algorithm": "ring", "job/ranks": 2,
                              "machine/message/latency": "10 us"}, "the first configuration")
    check(lines[2]["set"]["machine/message/latency"] == "200 us", "the last field runs fastest")
    for line in lines[1:]:
        fits = line["set"]["job/ranks"] < 100
        check(("summary" in line) == fits and ("error" in line) != fits,
              f"only 100 ranks do not fit: {line}")
    check("100" in lines[7]["error"], "the error says what does not fit")

    # One of them by hand.
    line = lines[1 + 13]
    machine = json.loads(json.dumps(MACHINE))
    machine["message"]["latency"] = line["set"]["machine/message/latency"]
    subprocess.run([LOCKSTEP, "simulate", "--network", "lenet5", "--batch", "64", "--topology",
                    "star_8_1gbit", "--ranks", str(line["set"]["job/ranks"]), "--algorithm",
                    line["set"]["job/algorithm"], "--machine", folder.write("one.json", machine),
                    "--out", folder.path("result.json")], check=True, capture_output=True)
    simulated = json.loads(folder.read("result.json"))["summary"]
    simulated.pop("interval_90")  # which a sweep does without: it takes three simulations more
    check(simulated == line["summary"], "lockstep simulate says the same")
    return grid


def check_same_file(folder, grid):
    expected = folder.read("all.jsonl")
    folder.sweep(grid, "single.jsonl", "--threads", "1")
    check(folder.read("single.jsonl") == expected, "the same on one thread")
    for cut in (0, 1, 30, len(expected) // 2, len(expected) - 1):
        folder.write("cut.jsonl", expected[:cut])
        folder.sweep(grid, "cut.jsonl")
        check(folder.read("cut.jsonl") == expected, f"the same when it goes on after {cut} bytes")
    for shard in ("1/3", "2/3", "3/3"):
        folder.sweep(grid, f"shard{shard[0]}.jsonl", "--shard", shard)
    shards = [part for i in (3, 1, 2) for part in ("--merge", folder.path(f"shard{i}.jsonl"))]
    merge = [LOCKSTEP, "sweep", *shards, "--out", folder.path("merged.jsonl")]
    check(subprocess.run(merge).returncode == 0 and folder.read("merged.jsonl") == expected,
          "shards merged are the whole")
    check(subprocess.run(merge[:4] + merge[6:], capture_output=True).returncode == 2,
          "a shard that is missing is missed")


def check_killed(folder):
    slow = {"job": {"network": "lenet5", "batch": 4096, "topology": "star_64_10gbit"},
            "grid": {"job/ranks": [60, 61, 62, 63, 64] * 8}}
    sweep = folder.write("slow.json", slow)
    folder.sweep(sweep, "whole.jsonl")
    out = folder.path("killed.jsonl")
    for _ in range(100):
        process = subprocess.Popen([LOCKSTEP, "sweep", sweep, "--machine", folder.machine,
                                    "--out", out])
        size = os.path.getsize(out) if os.path.exists(out) else 0
        deadline = time.time() + 20
        while process.poll() is None and time.time() < deadline:
            if os.path.exists(out) and os.path.getsize(out) > size + 500:
                break
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            break
    check(folder.read("killed.jsonl") == folder.read("whole.jsonl"), "killed and resumed is the same")


def check_others(folder):
    chosen = folder.write("list.json", {
        "job": {"network": "lenet5", "topology": "two_racks_oversubscribed"},
        "list": [{"job/ranks": 4}, {"job/ranks": 8, "topology/links/0/bandwidth": "1 Mbit/s"}]})
    folder.sweep(chosen, "list.jsonl")
    lines = [json.loads(line) for line in folder.read("list.jsonl").splitlines()]
    check(lines[2]["summary"]["iteration_seconds"]["mean"] >
          5 * lines[1]["summary"]["iteration_seconds"]["mean"], "one slow link is seen")
    drawn = folder.write("random.json", {
        "job": {"network": "lenet5", "topology": "star_8_1gbit"},
        "random": {"configurations": 12, "seed": 3, "draw": {
            "job/ranks": {"low": 2, "high": 8}, "job/algorithm": ["ring", "bcube"],
            "machine/message/latency": {"low": 1, "high": 50, "unit": "us"}}}})
    best = folder.sweep(drawn, "random.jsonl", "--best", "images_per_second", "--pareto",
                        "images_per_second,job/ranks").stdout
    lines = [json.loads(line) for line in folder.read("random.jsonl").splitlines()][1:]
    check(all("summary" in line for line in lines) and
          len({json.dumps(line["set"]) for line in lines}) == 12, "random configurations differ")
    top = max(lines, key=lambda line: line["summary"]["images_per_second"])
    check(f"#{top['configuration']} " in best.splitlines()[1], "the best comes first")
    pareto = [line for line in lines if not any(
        other["set"]["job/ranks"] <= line["set"]["job/ranks"] and
        other["summary"]["images_per_second"] > line["summary"]["images_per_second"] or
        other["set"]["job/ranks"] < line["set"]["job/ranks"] and
        other["summary"]["images_per_second"] >= line["summary"]["images_per_second"]
        for other in lines)]
    shown = best[best.index("not beaten"):].splitlines()[1:]
    check(sorted(line["configuration"] for line in pareto) ==
          sorted(int(row[row.index("#") + 1:].split()[0]) for row in shown), "the Pareto set")


def check_wrong(folder):
    job = {"job": {"network": "lenet5"}}
    for content, texts in [
            ("{", ["line 1"]),
            (job, ["grid, list and random"]),
            ({**job, "grid": {}, "list": []}, ["grid, list and random"]),
            ({**job, "grids": {}}, ["grids", "grid"]),
            ({**job, "grid": {"jobs/ranks": [1]}}, ["jobs/ranks", "did you mean job"]),
            ({**job, "grid": {"job": [1]}}, ["must begin with"]),
            ({**job, "grid": {"job/ranks": []}}, ["list of values"]),
            ({**job, "grid": {"job/ranks": 4}}, ["list of values"]),
            ({**job, "grid": []}, ["object of fields"]),
            ({**job, "list": [4]}, ["/list/0"]),
            ({**job, "list": []}, ["/list"]),
            ({**job, "random": {"configurations": 0, "draw": {}}}, ["configurations"]),
            ({**job, "random": {"configurations": 2, "draw": {"job/ranks": {"low": 3, "high": 2}}}},
             ["high"]),
            ({"job": {"rank": 3}, "list": [{"job/ranks": 2}]}, ["rank", "ranks"])]:
        wrong = folder.write("wrong.json", content)
        done = folder.sweep(wrong, "wrong.jsonl", status=2)
        for text in ["wrong.json", *texts]:
            check(text in done.stderr, f"{content} does not say {text!r}: {done.stderr}")
        check(not os.path.exists(folder.path("wrong.jsonl")), f"{content} leaves a file")
    grid = folder.path("grid.json")
    for shard in ("0/3", "4/3", "3", "1/3x", "-1/3"):
        check("--shard" in folder.sweep(grid, "x.jsonl", "--shard", shard, status=2).stderr, shard)
    folder.write("other.jsonl", '{"schema": "something"}\n')
    check("another" in folder.sweep(grid, "other.jsonl", status=2).stderr, "another file is kept")
    check("did you mean images_per_second" in
          folder.sweep(grid, "all.jsonl", "--best", "image_per_second", status=2).stderr, "--best")


def main():
    with tempfile.TemporaryDirectory() as root:
        folder = Folder(root)
        grid = check_grid(folder)
        check_same_file(folder, grid)
        check_killed(folder)
        check_others(folder)
        check_wrong(folder)
    print("\n".join(FAULTS) if FAULTS else "sweeps are as they should be")
    return 1 if FAULTS else 0


sys.exit(main())
