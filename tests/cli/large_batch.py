#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Large batches by the command line: what train says of them, and what plan makes of that.

usage: large_batch.py LOCKSTEP"""
import json

from paper_machine import MACHINE
from small_training import FOLDER, IMAGES, check, run, small_network

network = small_network("relu")
job = ["--network", network, "--data", IMAGES, "--seed", 3, "--batch", 16, "--iterations", 12]

# Accumulated over two ranks and three micro-batches, training is what it is on one rank at once.
losses = {}
for name, more in {"whole": ["--ranks", 1], "parts": ["--ranks", 2, "--accumulate", 3]}.items():
    out = FOLDER / f"{name}.json"
    text = run("train", *job, *more, "--rate-scaling", "linear", "--base-batch", 8, "--warm-up", 4,
               "--rate-policy", "cosine", "--weight-decay", "0.001", "--out", out)
    check("rate 0.1 (0.05 · 2, linear from batch 8), warm-up 4 iterations, then cosine" in text,
          f"the rate is told: {text}")
    losses[name] = json.loads(out.read_text())["learning"]["loss"]
for i, (whole, parts) in enumerate(zip(losses["whole"], losses["parts"])):
    check(abs(whole - parts) < 1e-5 * whole, f"iteration {i}: {whole} and {parts}")

# A batch that grows: 16 twice, 40 three times, then 60, whatever the ranks; resumed it is the same.
endless = job[:-2]  # without --iterations
growing = ["--batch-growth", "2.5@2,1.5@5", "--momentum", 0.5]
for name, more in {"grown": ["--ranks", 1], "grown2": ["--ranks", 2]}.items():
    text = run("train", *endless, *growing, *more, "--iterations", 7, "--out", FOLDER / f"{name}.json",
               "--save-parameters", FOLDER / f"{name}.safetensors", "--test-every", 3)
    check("global batch 16, from iteration 2 on 40, from iteration 5 on 60" in text, text)
    grown = json.loads((FOLDER / f"{name}.json").read_text())
    check(grown["batches"] == [
        {"first_iteration": 0, "batch": 16, "accumulate": 1},
        {"first_iteration": 2, "batch": 40, "accumulate": 3},
        {"first_iteration": 5, "batch": 60, "accumulate": 4}], f"batches: {grown['batches']}")
    losses[name] = grown["learning"]["loss"]
    check(len(losses[name]) == 7 and len(grown["learning"]["curve"]) == 2, "over all batches")
for i, (whole, parts) in enumerate(zip(losses["grown"], losses["grown2"])):
    check(abs(whole - parts) < 1e-5 * whole, f"iteration {i}: {whole} and {parts}")
for after in (1, 2, 4):
    checkpoint = FOLDER / f"after{after}.safetensors"
    run("train", *endless, *growing, "--ranks", 2, "--iterations", after, "--checkpoint", checkpoint)
    run("train", *endless, *growing, "--ranks", 2, "--iterations", 7, "--resume", checkpoint,
        "--save-parameters", FOLDER / "resumed.safetensors")
    check((FOLDER / "grown2.safetensors").read_bytes() ==
          (FOLDER / "resumed.safetensors").read_bytes(), f"resumed after {after}")
text = run("train", *endless, "--batch-growth", "3@2", "--iterations", 7, "--resume",
           FOLDER / "after4.safetensors", status=2)
check("batch" in text, f"another batch was there before: {text}")
text = run("train", *endless, "--batch-growth", "8@2", "--iterations", 3, status=2)
check("fewer than one batch of 128" in text, f"more than all images: {text}")
text = run("train", *endless, "--batch-growth", "2@2", "--warm-up", 5, status=2)
check("--batch-growth" in text, f"while the rate warms up: {text}")
text = run("train", *endless, "--batch-growth-epochs", "2", status=2)
check("FACTOR@EPOCH" in text, f"no factor: {text}")
text = run("train", *endless, "--batch-growth-epochs", "2@1,2@2", "--iterations", 5)
first = grown["images"]["train"] // 16
second = first + grown["images"]["train"] // 32
check(f"from iteration {first} on 32, from iteration {second} on 64" in text, f"by epochs: {text}")

# The noise scale and the curve are in the result, and a plan follows from them.
out = FOLDER / "learning.json"
run("train", *job, "--accumulate", 2, "--noise-scale", "on", "--test-every", 4, "--out", out)
learning = json.loads(out.read_text())["learning"]
check(len(learning["noise_scale"]) == 12, "a noise scale for every iteration")
check([point["iterations"] for point in learning["curve"]] == [4, 8, 12], "tested every four")
check(learning["curve"][-1]["accuracy"] == learning["test_accuracy"], "the last test is the end's")

# With noise that is known and a curve that is known the plan is arithmetic.
result = json.loads(out.read_text())
result["learning"]["noise_scale"] = [48.0] * 12
result["learning"]["curve"] = [{"iterations": 4, "accuracy": 0.5}, {"iterations": 8, "accuracy": 0.7}]
out.write_text(json.dumps(result))
machine = FOLDER / "machine.json"
machine.write_text(json.dumps(MACHINE))
plan_of = ["plan", "--learning", out, "--machine", machine, "--plan-ranks", "1,2",
           "--plan-batches", "16,48", "--target-accuracy"]


def rows_of(*arguments):
    """What a plan prints, and its rows by (ranks, batch, codec, algorithm)."""
    said = run(*plan_of, "60%", "--out", FOLDER / "plan.json", *arguments)
    plan = json.loads((FOLDER / "plan.json").read_text())
    seconds = [row["seconds"] for row in plan["rows"]]
    check(seconds == sorted(seconds), "the fastest first")
    for row in plan["rows"]:
        # Noise scale 48: 1 + 48/16 = 4 times the fewest updates at 16, twice at 48. What was
        # measured with fp16 took half as long.
        expected = 6 if row["batch"] == 16 else 3
        if row["codec"] == "fp16" and len(plan["measured"]) > 1:
            expected /= 2
        check(abs(row["iterations"] - expected) < 1e-9, f"updates: {row}")
        check(abs(row["seconds"] - expected * row["iteration_seconds"]) < 1e-9, f"seconds: {row}")
        check(("batch" in row["extrapolated"]) == (row["batch"] != 16), f"another batch: {row}")
        check(("iteration" in row["extrapolated"]) == bool(row["cautions"]), f"cautions: {row}")
        if "interval_seconds" in row:
            low, high = row["interval_seconds"]
            check(low <= row["seconds"] <= high, f"interval: {row}")
    rows = {(row["ranks"], row["batch"], row["codec"], row["algorithm"].split(",")[0]): row
            for row in plan["rows"]}
    check(len(rows) == len(plan["rows"]), "no row twice")
    return said, plan, rows


text, plan, rows = rows_of("--plan-algorithms", "ring,bcube", "--plan-codecs", "none,fp16,qsgd")
check(plan["measured"] == [{"codec": "none", "ranks": 1, "batch": 16, "iterations": 6}],
      "60 % half way from 50 % to 70 %")
check(set(rows) == {(1, batch, "none", "none") for batch in (16, 48)} |
      {(2, batch, codec, name) for batch in (16, 48) for codec in ("none", "fp16", "qsgd:4")
       for name in ("ring", "bcube")}, f"rows: {set(rows)}")
for (ranks, batch, codec, _), row in rows.items():
    check(("codec" in row["extrapolated"]) == (codec != "none"), f"a codec never learnt with: {row}")
for part in ("best: ", "with other ranks", "with another batch", "with another codec",
             "most of it", "extrapolated, batch:", "extrapolated, codec:"):
    check(part in text, f"{part} is told: {text}")

# Twice the bytes, on links that are all there is to wait for, take longer than once.
slow = FOLDER / "slow.json"
run("topology", "generate", "star", "--hosts", 2, "--bandwidth", "10 Mbit/s", "--latency", "1 us",
    "--out", slow)
text, plan, rows = rows_of("--topology", slow, "--plan-algorithms", "ring", "--plan-codecs",
                           "none,fp16", "--rows", 1)
check(rows[2, 16, "fp16", "ring"]["seconds"] < rows[2, 16, "none", "ring"]["seconds"],
      "half the bytes")
check([i for i, row in enumerate(plan["rows"]) if "interval_seconds" in row] == [0] and
      f"and {len(plan['rows']) - 1} slower rows" in text, f"one row is shown: {text}")

# `auto` is the best of all in every ranks, batch and codec; by itself the codecs are the advised.
_, _, every = rows_of("--rows", 0)
_, _, best = rows_of("--plan-algorithms", "auto", "--rows", 0)
codecs = {codec for _, _, codec, _ in every}
check(codecs == {"none", "fp16", "bf16", "dgc:0.01", "qsgd:4", "one-bit", "powersgd:2"},
      f"codecs that lose little: {codecs}")
for key, row in best.items():
    least = min(other["seconds"] for others, other in every.items() if others[:3] == key[:3])
    check(row["seconds"] == least, f"the best algorithm: {row}")
check({key[:3] for key in best} == {key[:3] for key in every} and
      len(best) == len({key[:3] for key in best}), "one of each")

# A run that had the codec says how it learns.
half = json.loads(out.read_text())
half["job"].update({"compression": "fp16", "ranks": 2, "accumulate": 1, "noise_scale": False})
half["learning"]["noise_scale"] = []
for point in half["learning"]["curve"]:
    point["iterations"] //= 2
(FOLDER / "half.json").write_text(json.dumps(half))
text, plan, rows = rows_of("--learning", FOLDER / "half.json", "--plan-codecs", "none,fp16,bf16",
                           "--plan-algorithms", "ring")
for (ranks, batch, codec, _), row in rows.items():
    check(("codec" in row["extrapolated"]) == (codec == "bf16"), f"bf16 was not learnt with: {row}")
check("3 iterations at batch 16 with fp16" in text, f"both runs are told: {text}")

for wrong, told in ((["--plan-codecs", "fp17"], "did you mean"),
                    (["--plan-algorithms", "rig"], "--plan-algorithms"),
                    (["--algorithm", "ring"], "--plan-algorithms"),
                    (["--compression", "fp16"], "--plan-codecs"),
                    (["--batch", "16"], "--plan-batches"),
                    (["--network", "lenet5"], "expected a run of the network"),
                    (["--optimizer", "adam", "--plan-codecs", "dgc"], "momentum")):
    text = run(*plan_of, "60%", *wrong, status=2)
    check(told in text, f"{wrong}: {text}")
check("never reached the target accuracy" in run(*plan_of, "0.9", status=2), "out of reach")
for unlearnt, told in (("whole.json", "--test-every"), ("half.json", "--noise-scale on")):
    text = run("plan", "--learning", FOLDER / unlearnt, "--machine", machine, "--target-accuracy",
               "0.5", status=2)
    check(told in text, f"what {unlearnt} did not measure: {text}")

text = run("train", *job, "--noise-scale", "on", status=2)
check("--noise-scale" in text, f"one gradient says nothing about noise: {text}")
text = run("train", *job, "--accumulate", 17, status=2)
check("cannot be split into 17 micro-batches" in text, f"more micro-batches than images: {text}")
text = run("train", *job, "--rate-policy", "exponential", status=2)
check("--rate-end" in text, f"an exponential rate needs an end: {text}")
text = run("train", *job, "--warm-up", 3, "--warm-up-epochs", 1, status=2)
check("cannot be given together" in text, f"warm-up twice: {text}")
print("fine")
