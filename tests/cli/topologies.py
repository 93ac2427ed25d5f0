#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the page on topologies tells one to do works: its examples are fine, every kind is generated,
checked, simulated and drawn, and a drawing fits its result only.

usage: topologies.py LOCKSTEP REPOSITORY"""
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

from paper_machine import MACHINE

LOCKSTEP, REPOSITORY = sys.argv[1:3]
KINDS = {
    "one-host": "--sockets 2 --socket-bandwidth 20GB/s",
    "star": "--hosts 5",
    "rails": "--hosts 4 --rails 2 --routing split",
    "ring": "--hosts 5",
    "line": "--hosts 3",
    "full-mesh": "--hosts 4",
    "torus-2d": "--x 3 --y 4 --routing split",
    "torus-3d": "--x 2 --y 3 --z 4 --routing hash",
    "hypercube": "--dimensions 3 --routing split",
    "leaf-spine": "--leaves 2 --spines 2 --hosts-per-leaf 3 --uplinks.bandwidth 40Gbit/s --routing hash",
    "fat-tree": "--k 4 --oversubscription 2 --routing split",
    "dragonfly": "--hosts-per-router 1 --routers 2 --global-links 1 --global.latency 9us",
    "two-tier": "--sites 2 --racks 2 --hosts-per-rack 2 --backbone.reverse.bandwidth 1Gbit/s",
}
FAULTS = []


def check(condition, text):
    if not condition:
        FAULTS.append(text)


def run(*arguments, status=0):
    done = subprocess.run([LOCKSTEP, *arguments], capture_output=True, text=True, timeout=120)
    check(done.returncode == status,
          f"{' '.join(arguments)}: status {done.returncode}, expected {status}: {done.stderr}")
    return done


def lines_drawn(path):
    return [element for element in xml.parse(path).iter("{http://www.w3.org/2000/svg}path")
            if element.find("{http://www.w3.org/2000/svg}title") is not None]


def check_page():
    """The JSON examples of the page, and the command that follows the last one."""
    with open(os.path.join(REPOSITORY, "topologies/README.md")) as file:
        page = file.read()
    examples = re.findall(r"```json\n(.*?)```", page, re.S)
    check(len(examples) >= 2, "the page has no examples")
    for example in examples:
        with open("example.json", "w") as file:
            file.write(example)
        said = run("topology", "check", "example.json").stdout
        check("is fine" in said, f"the page's example: {said}")
    command = re.search(r"```\nlockstep (topology generate .*?)```", page, re.S).group(1)
    subprocess.run(f"{LOCKSTEP} {command}", shell=True, check=True, stdout=subprocess.DEVNULL)
    with open("pod.json") as made, open("example.json") as shown:
        check(json.load(made) == json.load(shown), "the command does not make the page's example")


def check_kind(kind, flags):
    cable = [] if kind == "one-host" else ["--bandwidth", "10 Gbit/s", "--latency", "2 us"]
    run("topology", "generate", kind, *flags.split(), *cable, "--out", "rule.json")
    run("topology", "generate", kind, *flags.split(), *cable, "--out", "listed.json", "--list")
    said = run("topology", "check", "rule.json", "listed.json").stdout
    check(said.count("is fine") == 2, f"{kind}: {said}")
    results = []
    for form in ("rule", "listed"):
        run("simulate", "--machine", "machine.json", "--topology", f"{form}.json", "--ranks", "4",
            "--placement", "scattered", "--batch", "64", "--out", f"{form}.result.json")
        with open(f"{form}.result.json") as file:
            results.append(json.load(file))
        for key in ("job", "topology", "provenance"):
            del results[-1][key]
    check(results[0] == results[1], f"{kind}: the rule and its listing do not simulate alike")
    run("topology", "draw", "rule.json", "--result", "rule.result.json", "--out", "drawn.svg")
    check(len(lines_drawn("drawn.svg")) == len(results[0]["links"]), f"{kind}: lines are missing")
    run("topology", "draw", "listed.json", "--out", "drawn.svg")
    xml.parse("drawn.svg")


def check_wrong_result():
    run("topology", "draw", "star_8_1gbit", "--result", "rule.result.json", "--out", "no.svg",
        status=2)
    check(not os.path.exists("no.svg"), "a drawing of a wrong result was written")


def check_all_faults():
    """check goes on after a wrong file and names every fault."""
    with open("faults.json", "w") as file:
        json.dump({"name": "t", "hosts": ["a", {"name": "b", "speed": 0}, "a"]}, file)
    done = run("topology", "check", "faults.json", "one_host", status=2)
    check("one_host" in done.stdout and "is fine" in done.stdout, "the second file is not checked")
    check(len(done.stderr.splitlines()) == 2 and "/hosts/1/speed" in done.stderr
          and "/hosts/2" in done.stderr, f"not every fault: {done.stderr}")


def main():
    with tempfile.TemporaryDirectory() as root:
        os.chdir(root)
        with open("machine.json", "w") as file:
            json.dump(MACHINE, file)
        check_page()
        for kind, flags in KINDS.items():
            check_kind(kind, flags)
        check_wrong_result()
        check_all_faults()
    for fault in FAULTS:
        print("FAULT:", fault)
    return 1 if FAULTS else 0


sys.exit(main())
