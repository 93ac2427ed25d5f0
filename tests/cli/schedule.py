#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lockstep schedule end to end: shows, proves and converts, and says what is wrong with status 1.

usage: schedule.py LOCKSTEP"""
import json
import os
import subprocess
import sys
import tempfile

LOCKSTEP = sys.argv[1]
ALGORITHMS = ["ring", "recursive-doubling", "halving-doubling", "binomial-tree", "double-tree",
              "hierarchical", "torus", "bcube", "parameter-server"]


def schedule(*arguments, status=0):
    run = subprocess.run([LOCKSTEP, "schedule", *arguments], capture_output=True, text=True)
    assert run.returncode == status, f"{arguments}: {run.returncode}\n{run.stdout}{run.stderr}"
    return run.stdout


def contains(text, *parts):
    for part in parts:
        assert part in text, f"no {part!r} in:\n{text}"


def check_algorithms(path):
    for algorithm in ALGORITHMS:
        named = ["--algorithm", algorithm, "--ranks", "11"]
        contains(schedule("verify", *named, "--count", "4099"),
                 f"{algorithm} all-reduce: all-reduce of 4099 elements on 11 ranks: proven")
        xml = path(algorithm + ".xml")
        contains(schedule("convert", *named, xml), "wrote " + xml)
        contains(schedule("verify", xml), "on 11 ranks: proven")
        contains(schedule("verify", xml, "--count", "4099"), "of 4099 elements on 11 ranks: proven")
        # To our form, and back to the same file, but for the names.
        form = path(algorithm + ".json")
        schedule("convert", xml, form)
        contains(schedule("verify", form), "proven")
        again = path("again.xml")
        schedule("convert", form, again)
        contains(schedule("verify", again), "proven")
    contains(schedule("verify", "--algorithm", "hierarchical", "--ranks", "10", "--group-by", "4",
                      "--count", "100"), "proven")
    contains(schedule("verify", "--algorithm", "parameter-server", "--ranks", "5", "--servers", "2",
                      "--segment-bytes", "64", "--count", "100"), "proven")


def check_collectives(path):
    for collective, flags in [("reduce-scatter", []), ("all-gather", []),
                              ("broadcast", ["--root", "3"])]:
        algorithm = "binomial-tree" if collective == "broadcast" else "ring"
        named = ["--algorithm", algorithm, "--ranks", "5", "--collective", collective, *flags]
        contains(schedule("verify", *named, "--count", "23"), f"{collective} of 23", "proven")
        xml = path(collective + ".xml")
        schedule("convert", *named, xml)
        contains(schedule("verify", xml), f"{collective} of", "proven")
        form = path(collective + ".json")
        schedule("convert", *named, "--count", "23", form)
        contains(schedule("verify", form, "--collective", collective, *flags), "proven")
        # It is no all-reduce.
        contains(schedule("verify", form, status=1), "NOT proven", "at the end, data")


def check_wrong(path):
    """What is wrong is said of the step that shows it, and not converted."""
    form = path("ring.json")
    schedule("convert", "--algorithm", "ring", "--ranks", "3", "--count", "9", form)
    with open(form) as file:
        ring = json.load(file)
    ring["fragments"][0]["programs"][1]["steps"][0] = {}  # rank 1's first send
    wrong = path("wrong.json")
    with open(wrong, "w") as file:
        json.dump(ring, file)
    text = schedule("verify", wrong, status=1)
    contains(text, "rank 2, all-reduce, step 7", "rank 1 has no send to match", "NOT proven")
    contains(schedule("show", wrong), "NOT proven")
    unwritten = path("unwritten.xml")
    contains(schedule("convert", wrong, unwritten, status=1), "not converted")
    assert not os.path.exists(unwritten)
    # The same as a file of MSCCL's: two steps that race, as nothing says which is first.
    xml = path("race.xml")
    schedule("convert", "--algorithm", "recursive-doubling", "--ranks", "2", xml)
    with open(xml) as file:
        lines = file.read()
    contains(lines, 'depid="0"')
    with open(xml, "w") as file:
        file.write(lines.replace('depid="0" deps="0"', 'depid="-1" deps="-1"'))
    contains(schedule("verify", xml, status=1), "nothing on this rank orders them")


def check_show():
    named = ["--algorithm", "ring", "--ranks", "3", "--count", "9"]
    text = schedule("show", *named)
    contains(text, "ring all-reduce: all-reduce of 9 elements on 3 ranks", "rank 2\n",
             "all-reduce: 4 rounds of 2 steps", "round 3", "send data[0, 3) to 1 (stream 0)",
             "from 2, adding (stream 0)", "replacing (stream 0), after ", "proven",
             # 2·2/3 of 36 bytes, in 4 messages.
             "messages     12, at most 4 from one rank; the longest chain of them 4",
             "48.0 B per rank; at most 1.00 × the least possible, 48.0 B")
    one = schedule("show", *named, "--rank", "1")
    assert "rank 1\n" in one and "rank 2\n" not in one
    form = json.loads(schedule("show", *named, "--json"))
    assert form["ranks"] == 3 and len(form["fragments"][0]["programs"]) == 3


def check_job(path):
    job = path("job.json")
    with open(job, "w") as file:
        json.dump({"network": "lenet5", "batch": 8, "ranks": 4, "iterations": 1}, file)
    contains(schedule("verify", "--job", job), "on 4 ranks: proven")


def main():
    with tempfile.TemporaryDirectory() as root:
        def path(name):
            return os.path.join(root, name)
        check_algorithms(path)
        check_collectives(path)
        check_wrong(path)
        check_show()
        check_job(path)
    for subcommand in ["--help", "show --help", "verify --help", "convert --help"]:
        contains(schedule(*subcommand.split()), "lockstep schedule")
    print("schedule: all as expected")


main()
