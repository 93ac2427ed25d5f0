#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The asynchronous parameter server by the command line: synchronous with staleness 0, faster
beside a straggler without a bound, and what is said, kept and refused.

usage: staleness.py LOCKSTEP"""
import json

from paper_machine import MACHINE
from small_training import FOLDER, IMAGES, check, read, run

# Without a kink, where a difference by rounding can be one between a gradient and none.
network = FOLDER / "network.json"
network.write_text(json.dumps({
    "name": "smooth", "input": {"height": 16, "width": 16, "channels": 3}, "classes": 2,
    "layers": [{"kind": "convolution", "channels": 4, "kernel": 3}, {"kind": "batch-norm"},
               {"kind": "average-pool", "kernel": 2}, {"kind": "dense", "features": 2}]}))
machine = FOLDER / "machine.json"
machine.write_text(json.dumps(MACHINE))
server = ["--network", network, "--algorithm", "parameter-server"]
everywhere = [*server, "--batch", 17]
job = [*everywhere, "--data", IMAGES]


def loss(name, *more):
    run("train", *job, *more, "--iterations", 10, "--out", FOLDER / f"{name}.json")
    return read(f"{name}.json")["learning"]["loss"]


# With staleness 0 it is synchronous SGD, through other messages and in any order of additions.
rules = [["--momentum", 0], ["--momentum", 0.9], ["--momentum", 0.9, "--optimizer", "nesterov"]]
for seed, ranks in enumerate([2, 3, 4], start=5):
    for rule in rules:
        for accumulate in (1, 2):
            same = ["--ranks", ranks, *rule, "--accumulate", accumulate, "--seed", seed]
            synchronous = loss("synchronous", *same)
            served = loss("served", *same, "--staleness", 0)
            for i, (a, b) in enumerate(zip(synchronous, served)):
                check(abs(a - b) < 1e-4 * a, f"{same}, iteration {i}: {a} and {b}")
check(read("synchronous.json")["job"]["staleness"] == "off", "off")
check(read("served.json")["job"]["staleness"] == 0, "the job")

# What is predicted and measured are the same messages.
for staleness in (0, 2, "unbounded"):
    same = ["--ranks", 3, "--staleness", staleness]
    text = run("train", *job, *same, "--iterations", 10, "--out", FOLDER / "measured.json", "--test-every", 4,
               "--machine", machine, "--trace", FOLDER / "trace.json")
    check("apply each rank's gradients as they come, weighted by its images" in text,
          f"it is told how gradients are weighted: {text}")
    check("unbounded" in text if staleness == "unbounded" else f"i+{staleness + 1}" in text,
          f"and what staleness means: {text}")
    run("simulate", *everywhere, *same, "--machine", machine, "--out", FOLDER / "predicted.json")
    check(read("measured.json")["job"]["staleness"] == staleness, "the job of the measurement")
    sent = [read(f"{which}.json")["summary"]["bytes_sent_per_rank"]
            for which in ("measured", "predicted")]
    check(abs(sent[0] - sent[1]) <= 1, f"bytes: {sent}, those of tests left out")
    check(len(read("measured.json")["learning"]["curve"]) == 2, "it was tested twice")
    names = {event["name"] for event in read("trace.json")["traceEvents"]}
    check(any("apply" in name for name in names), f"the trace shows servers: {sorted(names)}")

# A straggler of a half of the speed: without a bound four ranks lose an eighth, otherwise a half.
(FOLDER / "slow.json").write_text(json.dumps(
    {"stragglers": [{"rank": 1, "factor": 2.0}]}))
rates = {}
for staleness in ("off", 0, 1, "unbounded"):
    run("simulate", *server, "--ranks", 4, "--batch", 2000, "--fidelity", "ideal",
        "--staleness", staleness, "--conditions", FOLDER / "slow.json", "--machine", machine,
        "--out", FOLDER / "rate.json")
    rates[staleness] = read("rate.json")["summary"]["images_per_second"]
check(abs(rates[0] / rates["off"] - 1) < 0.1, f"staleness 0 is as fast as synchronous: {rates}")
check(rates[0] <= rates[1] < rates["unbounded"], f"{rates}")
check(abs(rates["unbounded"] / rates[0] / 1.75 - 1) < 0.05, f"(3 + 1/2) / (4/2): {rates}")

# Interrupted, it goes on from what was served.
asynchronous = ["--ranks", 2, "--staleness", 0, "--seed", 7]
learnt = loss("whole", *asynchronous)
run("train", *job, *asynchronous, "--iterations", 6, "--checkpoint", FOLDER / "after6.safetensors")
run("train", *job, *asynchronous, "--iterations", 10, "--resume", FOLDER / "after6.safetensors",
    "--out", FOLDER / "resumed.json")
for i, (a, b) in enumerate(zip(learnt[6:], read("resumed.json")["learning"]["loss"])):
    check(abs(a - b) < 1e-4 * a, f"resumed, iteration {i + 6}: {a} and {b}")
text = run("train", *job, "--ranks", 2, "--seed", 7, "--iterations", 10, "--resume",
           FOLDER / "after6.safetensors", status=2)
check("asynchronous, staleness 0" in text, f"not as something else: {text}")

# A sweep takes it as any other field.
(FOLDER / "sweep.json").write_text(json.dumps(
    {"job": {"network": str(network), "ranks": 4, "batch": 32, "algorithm": "parameter-server"},
     "grid": {"job/staleness": ["off", 0, 2, "unbounded"]}}))
run("sweep", FOLDER / "sweep.json", "--machine", machine, "--out", FOLDER / "swept.jsonl")
lines = [json.loads(line) for line in (FOLDER / "swept.jsonl").read_text().splitlines()]
check(len(lines) == 5 and not any("error" in line for line in lines), f"four results: {lines}")

for more, word in {("--compression", "fp16"): "--compression",
                   ("--noise-scale", "on"): "--noise-scale",
                   ("--batch-norm", "synchronised"): "--batch-norm",
                   ("--local-steps", 2): "--local-steps",
                   ("--servers", 1): "--servers",
                   ("--streams", 2): "--streams",
                   ("--optimizer", "lars"): "lars",
                   ("--optimizer", "adam"): "adam",
                   ("--algorithm", "ring"): "--algorithm parameter-server",
                   ("--staleness", 33): "32",
                   ("--staleness", "none"): "unbounded"}.items():
    given = {"--algorithm": "parameter-server", "--staleness": 1, more[0]: more[1]}
    text = run("train", "--network", network, "--batch", 17, "--data", IMAGES, "--ranks", 2,
               "--iterations", 2, *sum(given.items(), ()), status=2)
    check("--staleness" in text and word in text, f"refused: {text}")
print("fine")
