#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Local SGD by the command line: what is said, predicted, measured and kept in checkpoints.

usage: local_sgd.py LOCKSTEP"""
import json

from paper_machine import MACHINE
from small_training import FOLDER, IMAGES, check, read, run, small_network

network = small_network("batch-norm", "relu")
machine = FOLDER / "machine.json"
machine.write_text(json.dumps(MACHINE))
job = ["--network", network, "--data", IMAGES, "--seed", 5, "--batch", 17, "--ranks", 2]
local = [*job, "--local-steps", 4, "--local-from", 2]

# In every iteration it is synchronous SGD, through other messages.
for name, more in {"synchronous": [], "every": ["--local-steps", 1]}.items():
    run("train", *job, *more, "--iterations", 10, "--out", FOLDER / f"{name}.json")
for i, (a, b) in enumerate(zip(*(read(f"{name}.json")["learning"]["loss"]
                                 for name in ("synchronous", "every")))):
    check(abs(a - b) < 1e-4 * a, f"iteration {i}: {a} and {b}")

# Of 18 iterations 6 communicate: 2 that are synchronous, and the last of each of 4 turns.
text = run("train", *local, "--iterations", 18, "--out", FOLDER / "measured.json", "--machine",
           machine, "--test-every", 5, "--replica-check", 1)
check("local from iteration 2 on" in text and "momentum and moments stay" in text,
      f"it is told what is averaged: {text}")
measured = read("measured.json")
check(measured["job"]["local_steps"] == 4 and measured["job"]["local_from"] == 2, "the job")
sent = read("synchronous.json")["summary"]["bytes_sent_per_rank"]
check(measured["summary"]["bytes_sent_per_rank"] == sent * 6 // 18,
      f"bytes: {measured['summary']['bytes_sent_per_rank']} of {sent}, tests left out")
run("simulate", *local, "--iterations", 18, "--machine", machine, "--out",
    FOLDER / "predicted.json")
predicted = read("predicted.json")
check(abs(predicted["summary"]["bytes_sent_per_rank"] - sent * 6 / 18) <= 1,
      f"predicted bytes: {predicted['summary']['bytes_sent_per_rank']} of {sent}")
seconds = {}
for name, more in {"synchronous": [], "local": ["--local-steps", 8]}.items():
    run("simulate", *job, *more, "--fidelity", "ideal", "--machine", machine, "--out",
        FOLDER / "speed.json")
    seconds[name] = read("speed.json")["summary"]["iteration_seconds"]["mean"]
check(seconds["local"] < seconds["synchronous"], f"less communication takes less time: {seconds}")

# Interrupted in the middle of a turn, with parameters that differ, it goes on bit for bit.
run("train", *local, "--iterations", 12, "--save-parameters", FOLDER / "whole.safetensors")
run("train", *local, "--iterations", 8, "--checkpoint", FOLDER / "after8.safetensors")
run("train", *local, "--iterations", 12, "--resume", FOLDER / "after8.safetensors",
    "--save-parameters", FOLDER / "resumed.safetensors")
check((FOLDER / "whole.safetensors").read_bytes() == (FOLDER / "resumed.safetensors").read_bytes(),
      "resumed, the parameters are the same")
text = run("train", *job, "--iterations", 12, "--resume", FOLDER / "after8.safetensors", status=2)
check("local from iteration 2 on" in text, f"not as something else: {text}")
text = run("train", *[3 if word == 2 else word for word in local[:-2]], "--local-from", 2,
           "--iterations", 12, "--resume", FOLDER / "after8.safetensors", status=2)
check("2 ranks" in text, f"nor with other ranks: {text}")
run("train", *job, "--iterations", 5, "--checkpoint", FOLDER / "after5.safetensors")
run("train", *job, "--local-steps", 2, "--local-from", 5, "--iterations", 9, "--resume",
    FOLDER / "after5.safetensors")

for more, word in {("--compression", "fp16"): "--compression",
                   ("--noise-scale", "on"): "--noise-scale",
                   ("--batch-norm", "synchronised"): "--batch-norm"}.items():
    text = run("train", *local, "--iterations", 2, *more, status=2)
    check("--local-steps" in text and word in text, f"refused: {text}")
print("fine")
