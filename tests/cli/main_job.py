#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job, small: both worlds' outputs fit the schema, all rank counts train alike, a result
repeats itself, and compare says what it should.

usage: main_job.py LOCKSTEP REPOSITORY"""
import array
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

from paper_machine import MACHINE

LOCKSTEP, REPOSITORY = sys.argv[1:3]
ALGORITHMS = ("recursive-doubling", "halving-doubling", "binomial-tree", "double-tree",
              "hierarchical", "torus", "bcube", "parameter-server")
FAULTS = []


def check(condition, text):
    if not condition:
        FAULTS.append(text)


def run(*arguments, status=0):
    done = subprocess.run([LOCKSTEP, *arguments], capture_output=True, text=True, timeout=120)
    check(done.returncode == status,
          f"{' '.join(arguments)}: status {done.returncode}, expected {status}: {done.stderr}")
    return done


def load(path):
    with open(path) as file:
        return json.load(file)


def tensors(path):
    with open(path, "rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__")
    return {name: array.array("f", data[slice(*tensor["data_offsets"])])
            for name, tensor in header.items()}


def relative_distance(a, b):
    difference = math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b)))
    return difference / math.sqrt(sum(y * y for y in b))


def same_parameters_on_any_ranks(path):
    """After 20 iterations at one global batch: within 1e-4 per tensor (L2, relative), by whatever
    algorithm."""
    jobs = [(ranks, "ring") for ranks in (1, 2, 3, 4)] + [(3, name) for name in ALGORITHMS]
    for ranks, algorithm in jobs:
        run("train", "--network", "lenet5", "--batch", "64", "--iterations", "20", "--ranks",
            str(ranks), "--algorithm", algorithm, "--group-by", "2", "--servers", "1",
            "--replica-check", "5", "--save-parameters", path(f"{ranks}{algorithm}.safetensors"))
    reference = tensors(path("1ring.safetensors"))
    for ranks, algorithm in jobs:
        for name, values in tensors(path(f"{ranks}{algorithm}.safetensors")).items():
            distance = relative_distance(values, reference[name])
            check(distance < 1e-4, f"{ranks} ranks, {algorithm}, {name}: {distance:.2g}")
            check(not math.isnan(distance), f"{name} is not a number")


def both_worlds_fit_the_schema(path):
    machine = path("machine.json")
    with open(machine, "w") as file:
        json.dump(MACHINE, file)
    job = ["--network", "lenet5", "--batch", "64", "--ranks", "2", "--iterations", "30"]
    run("simulate", *job, "--machine", machine, "--out", path("p.json"), "--trace", path("pt.json"))
    run("train", *job, "--machine", machine, "--out", path("m.json"), "--trace", path("mt.json"))
    done = subprocess.run([sys.executable, os.path.join(REPOSITORY, "tests/cli/validate_schema.py"),
                           os.path.join(REPOSITORY, "models/results/result.schema.json"),
                           path("p.json"), path("m.json")], capture_output=True, text=True)
    check(done.returncode == 0, done.stdout + done.stderr)
    predicted, measured = load(path("p.json")), load(path("m.json"))
    check(predicted["job"] == measured["job"], "the two worlds ran different jobs")
    sent = predicted["summary"]["bytes_sent_per_rank"]
    check(sent == measured["summary"]["bytes_sent_per_rank"] == 4 * 44426, f"bytes sent: {sent}")
    low, high = predicted["summary"]["interval_90"]
    check(low < predicted["summary"]["iteration_seconds"]["mean"] < high, "the interval")
    losses = measured["learning"]["loss"]
    check(len(losses) == 30 and losses[-1] < losses[0], f"losses {losses}")

    spans = [{event["name"] for event in load(path(name))["traceEvents"] if event["ph"] == "X"}
             for name in ("pt.json", "mt.json")]
    check(spans[0] == spans[1], f"span names differ: {spans[0] ^ spans[1]}")
    check("forward conv1" in spans[0] and "send → 1" in spans[0], f"span names {spans[0]}")

    # A result is a job: simulating it again gives the same bytes, but for provenance.
    run("simulate", "--job", path("p.json"), "--machine", machine, "--out", path("again.json"))
    again = load(path("again.json"))
    again.pop("provenance"), predicted.pop("provenance")
    check(again == predicted, "a result given to --job does not repeat itself")

    run("compare", path("p.json"), path("p.json"), "--max-error", "0%")
    run("compare", path("p.json"), path("m.json"), "--max-error", "0.0001%", "--out",
        path("c.json"), status=1)
    check(load(path("c.json"))["schema"] == "lockstep.comparison/1", "comparison schema")


def every_algorithm_is_predicted(path):
    for algorithm in ALGORITHMS:
        out = path(f"{algorithm}.json")
        done = run("simulate", "--network", "lenet5", "--batch", "64", "--ranks", "8",
                   "--topology", "two_racks_oversubscribed", "--group-by", "rack", "--servers", "3",
                   "--machine", path("machine.json"), "--algorithm", algorithm, "--out", out)
        check(algorithm in done.stdout, f"{algorithm} is not named: {done.stdout}")
        job = load(out)["job"]
        check((job["algorithm"], job["group_by"], job["servers"]) == (algorithm, "rack", 3),
              f"{algorithm}: the job {job}")


def a_thousand_ranks(path):
    topology = path("star.json")
    with open(topology, "w") as file:
        json.dump({"name": "star_1024", "generate": {"star": {"hosts": 1024, "bandwidth": "1 Gbit/s",
                                         "latency": "25 us"}}}, file)
    run("simulate", "--network", "lenet5", "--batch", "4096", "--ranks", "1024", "--machine",
        path("machine.json"), "--topology", topology, "--out", path("many.json"))
    check(len(load(path("many.json"))["ranks"]) == 1024, "a thousand ranks")


def main():
    with tempfile.TemporaryDirectory() as root:
        for test in (both_worlds_fit_the_schema, same_parameters_on_any_ranks,
                     every_algorithm_is_predicted, a_thousand_ranks):
            test(lambda name: os.path.join(root, name))
    print("\n".join(FAULTS) or "the main job: fine")
    return 1 if FAULTS else 0


sys.exit(main())
