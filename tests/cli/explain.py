#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""simulate --explain-time: the critical path adds up to the iteration, in the result, the trace and
on the terminal.

usage: explain.py LOCKSTEP"""
import json
import os
import subprocess
import sys
import tempfile

from paper_machine import MACHINE

LOCKSTEP = sys.argv[1]
FAULTS = []


def check(condition, text):
    if not condition:
        FAULTS.append(text)


def near(value, expected):
    return abs(value - expected) <= 1e-9 * abs(expected)


def check_case(root, *flags):
    machine, out, trace = (os.path.join(root, name) for name in ("m.json", "r.json", "t.json"))
    with open(machine, "w") as file:
        json.dump(MACHINE, file)
    done = subprocess.run([LOCKSTEP, "simulate", "--network", "lenet5", "--machine", machine, "--out",
                           out, "--trace", trace, "--explain-time", *flags], capture_output=True,
                          text=True, timeout=120)
    if done.returncode != 0:
        return check(False, f"{flags}: status {done.returncode}: {done.stderr}")
    with open(out) as file:
        result = json.load(file)
    explanation = result["explanation"]
    path = explanation["critical_path"]
    seconds = explanation["seconds"]
    check(near(sum(piece["seconds"] for piece in path), seconds), f"{flags}: the path adds up")
    check(near(sum(part["seconds"] for part in explanation["parts"]), seconds),
          f"{flags}: its parts add up")
    check(all(near(a["start"] + a["seconds"], b["start"]) for a, b in zip(path, path[1:])),
          f"{flags}: it has no gaps")
    bounds = explanation["bounds"]
    check(0 < bounds["compute_seconds"] <= seconds * (1 + 1e-9) and
          bounds["network_seconds"] <= seconds, f"{flags}: the bounds are bounds: {bounds}")
    # Every link carries in the iteration about what it carries in all of them.
    for link in explanation["links"]:
        use = sum(link["utilisation"]) / len(link["utilisation"])
        mean = next(one for one in result["links"] if one["name"] == link["name"])["utilisation"]
        check(abs(use - mean) < 0.1 * mean + 0.01, f"{flags}: {link['name']}: {use}, {mean}")
    with open(trace) as file:
        events = json.load(file)["traceEvents"]
    drawn = [event for event in events if event.get("cat") == "critical path"]
    check(len(drawn) == len(path), f"{flags}: the trace has the path")
    check(abs(sum(event["dur"] for event in drawn) * 1e-6 - seconds) <= len(path) * 1e-9,
          f"{flags}: so long")
    for text in ("critical path", "computing", "at least"):
        check(text in done.stdout, f"{flags}: {text!r} is not told: {done.stdout}")
    # Without it nothing else changes.
    subprocess.run([LOCKSTEP, "simulate", "--network", "lenet5", "--machine", machine, "--out", out,
                    *flags], check=True, capture_output=True)
    with open(out) as file:
        plain = json.load(file)
    check(plain["summary"] == result["summary"] and "explanation" not in plain,
          f"{flags}: the prediction is the same")


def main():
    with tempfile.TemporaryDirectory() as root:
        check_case(root, "--ranks", "1")
        check_case(root, "--ranks", "3", "--batch", "63")
        check_case(root, "--ranks", "4", "--topology", "star_8_1gbit")
        check_case(root, "--ranks", "8", "--topology", "two_racks_oversubscribed", "--algorithm",
                   "hierarchical", "--group-by", "rack", "--overlap", "off")
        check_case(root, "--ranks", "4", "--topology", "star_8_1gbit", "--algorithm",
                   "parameter-server", "--servers", "1")
        check_case(root, "--ranks", "4", "--topology", "star_8_1gbit", "--compression", "top-k:0.01")
    print("\n".join(FAULTS) if FAULTS else "explanations add up")
    return 1 if FAULTS else 0


sys.exit(main())
