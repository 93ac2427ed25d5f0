#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compression end to end: predicted bytes are the real ones, an interrupted training goes on bit for
bit, what cannot be is said before anything runs, auto chooses alike in both worlds.

usage: compression.py LOCKSTEP"""
import json
import os
import subprocess
import sys
import tempfile

from paper_machine import MACHINE

LOCKSTEP = sys.argv[1]
JOB = ["--network", "lenet5", "--batch", "16", "--bucket-bytes", "50 kB"]


def run(*arguments, status=0):
    done = subprocess.run([LOCKSTEP, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
    return done


def result_of(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def check_bytes(folder, machine):
    for codec in ("fp16", "dgc:0.02", "sign-vote", "powersgd:2", "terngrad-shared",
                  "dense1=powersgd:2,dense*=qsgd:4,bf16"):
        both = []
        for world in ("simulate", "train"):
            out = os.path.join(folder, f"{world}.json")
            extra = ["--machine", machine] if world == "simulate" else []
            run(world, *JOB, "--ranks", "3", "--iterations", "4", "--compression", codec, "--out",
                out, "--replica-check" if world == "train" else "--fidelity",
                "1" if world == "train" else "flow", *extra)
            both.append(result_of(out))
        predicted, measured = both
        assert predicted["job"]["compression"] == codec == measured["job"]["compression"]
        for a, b in zip(predicted["ranks"], measured["ranks"], strict=True):
            assert a["bytes_sent"] == b["bytes_sent"], (codec, a, b)
        assert (predicted["summary"]["bytes_sent_per_rank"] ==
                measured["summary"]["bytes_sent_per_rank"] > 0), codec


def check_resume(folder):
    paths = {name: os.path.join(folder, name) for name in ("whole", "half", "again")}
    for codec in ("dgc:0.02", "powersgd:2", "ef-sign", "qsgd:4"):
        job = [*JOB, "--ranks", "2", "--compression", codec]
        run("train", *job, "--iterations", "12", "--checkpoint", paths["whole"])
        run("train", *job, "--iterations", "5", "--checkpoint", paths["half"])
        run("train", *job, "--iterations", "12", "--resume", paths["half"], "--checkpoint",
            paths["again"])
        with open(paths["whole"], "rb") as whole, open(paths["again"], "rb") as again:
            assert whole.read() == again.read(), f"{codec}: going on is not the same"
    error = run("train", *JOB, "--ranks", "2", "--iterations", "12", "--resume", paths["half"],
                status=2).stderr
    assert "was trained with compression qsgd:4, cannot go on with none" in error, error
    run("train", *JOB, "--ranks", "2", "--compression", "dgc:0.25", "--iterations", "3", "--checkpoint",
        paths["half"])  # a warm-up: from here on less is sent
    run("train", *JOB, "--ranks", "2", "--compression", "dgc:0.05", "--iterations", "6", "--resume",
        paths["half"])
    run("train", *JOB, "--ranks", "2", "--compression", "ef-sign", "--iterations", "3", "--checkpoint",
        paths["half"])
    error = run("train", *JOB, "--ranks", "3", "--compression", "ef-sign", "--iterations", "12",
                "--resume", paths["half"], status=2).stderr
    assert "has what each of 2 ranks keeps, cannot go on with 3" in error, error


def check_faults(machine):
    error = run("simulate", *JOB, "--ranks", "4", "--machine", machine, "--algorithm", "double-tree",
                "--compression", "top-k", status=2).stderr
    assert "double-tree cannot do; expected --algorithm ring halving-doubling bcube" in error, error
    error = run("train", *JOB, "--ranks", "2", "--compression", "auto", status=2).stderr
    assert "auto needs --machine FILE" in error, error
    error = run("simulate", "--network", "lenet5", "--ranks", "200", "--batch", "200", "--machine", machine,
                "--compression", "terngrad-shared", status=2).stderr
    assert "adds up to 127 ranks" in error, error


def check_auto(folder, machine):
    """On a slow network something pays, and it is the same in both worlds; on a fast one, nothing."""
    slow = os.path.join(folder, "slow.json")
    with open(slow, "w", encoding="utf-8") as file:
        json.dump({"name": "slow", "hosts": [{"name": "a"}, {"name": "b"}],
                   "links": [{"from": "a", "to": "b", "bandwidth": "10 Mbit/s",
                              "latency": "100 us"}]}, file)
    chosen = []
    for world, out in (("simulate", "predicted.json"), ("train", "measured.json")):
        path = os.path.join(folder, out)
        text = run(world, *JOB, "--ranks", "2", "--iterations", "3", "--topology", slow, "--placement",
                   "scattered", "--machine", machine, "--compression", "auto", "--explain", "--out",
                   path).stdout
        for word in ("bucket 0", "none", "fp16", "taken", "exposed"):
            assert word in text, text
        chosen.append(result_of(path)["job"]["compression"])
    assert chosen[0] == chosen[1] != "none", chosen
    # What cannot go with the job is a candidate that is refused, not an error.
    text = run("simulate", *JOB, "--ranks", "2", "--topology", slow, "--placement", "scattered",
               "--machine", machine, "--compression", "auto", "--explain", "--optimizer", "lars").stdout
    assert "holds the momentum of sgd, cannot go with lars" in text, text
    path = os.path.join(folder, "one_rank.json")
    text = run("simulate", *JOB, "--ranks", "1", "--machine", machine, "--compression", "auto",
               "--explain", "--out", path).stdout
    assert "refused: does not pay" in text, text
    assert result_of(path)["job"]["compression"] == "none"


def check_bench(folder):
    out = os.path.join(folder, "bench.json")
    text = run("bench", "codec", "fp16", "top-k:0.01,powersgd:2", "--network", "lenet5", "--seconds",
               "0.01", "--out", out).stdout
    rows = {row["codec"]: row for row in result_of(out)["rows"]}
    assert list(rows) == ["fp16", "top-k:0.01", "powersgd:2"]
    assert rows["fp16"]["code_bytes"] == 2 * rows["fp16"]["elements"] == 2 * 44426
    assert rows["fp16"]["relative_error"] < 2 ** -10
    assert 0.05 < rows["top-k:0.01"]["relative_error"] < 1
    for name, row in rows.items():
        assert name in text and row["encode_seconds"] > 0 and row["decode_seconds"] > 0
    assert "did you mean" in run("bench", "codec", "top-kk", status=2).stderr


def main():
    with tempfile.TemporaryDirectory() as folder:
        machine = os.path.join(folder, "machine.json")
        with open(machine, "w", encoding="utf-8") as file:
            json.dump(MACHINE, file)
        check_bytes(folder, machine)
        check_resume(folder)
        check_faults(machine)
        check_auto(folder, machine)
        check_bench(folder)


main()
