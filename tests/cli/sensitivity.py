#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lockstep check-sensitivity: what is used moves the answer, and slower is slower; what is not used
is said to be.

usage: sensitivity.py LOCKSTEP"""
import json
import os
import re
import subprocess
import sys
import tempfile

import paper_machine

LOCKSTEP = sys.argv[1]
MACHINE = {**paper_machine.MACHINE, "combine_per_byte": "0 ns"}
FAULTS = []


def check(condition, text):
    if not condition:
        FAULTS.append(text)


def rows_of(machine, *arguments):
    done = subprocess.run([LOCKSTEP, "check-sensitivity", "--network", "lenet5", "--machine", machine,
                           *arguments], capture_output=True, text=True, timeout=200)
    check(done.returncode == 0, f"{arguments}: status {done.returncode}: {done.stderr}{done.stdout}")
    rows = {}
    for line in done.stdout.splitlines()[2:]:
        name, factor, change, verdict = re.match(
            r"(.+?)\s+(-|\d+x)\s+(-|[-+][\d.]+ %)\s+(.+)", line).groups()
        rows[name] = (factor, None if change == "-" else float(change.split()[0]), verdict)
    return rows


def main():
    with tempfile.TemporaryDirectory() as root:
        machine = os.path.join(root, "machine.json")
        with open(machine, "w") as file:
            json.dump(MACHINE, file)
        four = rows_of(machine, "--ranks", "4", "--topology", "star_8_1gbit", "--overlap", "off",
                       "--links", "3")
        check(sum(name.startswith("link ") for name in four) == 6, "three links, two inputs each")
        for name in ("machine: time of computing", "machine: message latency", "job: batch",
                     "machine: message send_overhead"):
            check(name in four and four[name][0] == "2x" and four[name][1] > 0,
                  f"{name} twice as bad is slower: {four.get(name)}")
        for name, (factor, change, _) in four.items():
            if name.startswith("link ") and name.endswith("bandwidth"):
                check(factor == "2x" and change > 0, f"{name}: half of it is slower: {change}")
        for name in ("machine: combine_per_byte", "machine: loopback_bandwidth"):
            check("not used" in four[name][2], f"{name} is not used")
        one = rows_of(machine, "--ranks", "1")
        check("not used" in one["machine: message latency"][2], "one rank sends nothing")
        check(one["machine: time of computing"][1] > 50, "one rank only computes")
    print("\n".join(FAULTS) if FAULTS else "inputs move what they should")
    return 1 if FAULTS else 0


sys.exit(main())
