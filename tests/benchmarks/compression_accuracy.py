#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What codecs cost in accuracy: Fashion-MNIST, 4 ranks, global batch 64, seed by seed.

Trains every job in turn and prints test accuracies, beside their distance to no compression with the
same seed. Appends each run to --out at once and, run again, goes on where it was.

Usage: compression_accuracy.py [--lockstep PATH] [--network lenet5] [--epochs 10] [--seeds 1,2,3]
                               [--codecs none,fp16,...] [--ranks 4] [--out FILE]
                               [--learning-rate 0.02] [--rate-policy cosine]
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# Majority votes are ±1 whatever the gradients: their learning rate is one of its own (signSGD).
CODECS = {
    "none": [], "fp16": [], "bf16": [], "dgc:0.01": [], "powersgd:2": [], "ef-sign": [], "qsgd:4": [],
    "top-k:0.01": [], "top-k-plain:0.01": [], "sign-vote": ["--learning-rate", "0.0001"],
    "one-bit": [], "terngrad": [], "terngrad-shared": [], "random-k:0.1": []}


def train(arguments, codec, seed):
    """Test accuracy in percent, None if training diverged."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "measured.json")
        command = [arguments.lockstep, "train", "--network", arguments.network, "--ranks",
                   str(arguments.ranks), "--batch", "64", "--epochs", str(arguments.epochs), "--seed",
                   str(seed), "--compression", codec, "--rate-policy", arguments.rate_policy,
                   *(CODECS.get(codec) or ["--learning-rate", str(arguments.learning_rate)])]
        print("$ " + " ".join(command), file=sys.stderr, flush=True)
        run = subprocess.run([*command, "--out", out], capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"{codec}, seed {seed}: {run.stderr}")
        with open(out) as file:
            result = json.load(file)
    return {"codec": codec, "seed": seed, "network": arguments.network, "epochs": arguments.epochs,
            "ranks": arguments.ranks, "learning_rate": arguments.learning_rate,
            "rate_policy": arguments.rate_policy, "accuracy": 100 * result["learning"]["test_accuracy"],
            "bytes_sent_per_rank": result["summary"]["bytes_sent_per_rank"],
            "command": " ".join(command[1:])}


def known_runs(path):
    if not path or not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line) for line in file]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lockstep", default=os.path.join(ROOT, "build/release/lockstep"))
    parser.add_argument("--network", default="lenet5")
    parser.add_argument("--epochs", type=float, default=10)
    parser.add_argument("--ranks", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=0.02)
    parser.add_argument("--rate-policy", default="cosine")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--codecs", default=",".join(CODECS))
    parser.add_argument("--out", help="lines of JSON, one per run")
    arguments = parser.parse_args()
    codecs = arguments.codecs.split(",")
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    runs = {}
    for run in known_runs(arguments.out):
        if all(run[key] == getattr(arguments, key) for key in
               ("network", "epochs", "ranks", "learning_rate", "rate_policy")):
            runs[run["codec"], run["seed"]] = run
    for seed in seeds:
        for codec in codecs:
            if (codec, seed) in runs:
                continue
            run = runs[codec, seed] = train(arguments, codec, seed)
            if arguments.out:
                with open(arguments.out, "a") as file:
                    file.write(json.dumps(run) + "\n")

    print(f"{arguments.network}, {arguments.epochs:g} epochs, {arguments.ranks} ranks, batch 64")
    print("codec             sent by a rank  " + "".join(f"   seed {s}" for s in seeds) +
          "     mean  to none")
    for codec in codecs:
        of_codec = [runs[codec, seed] for seed in seeds]
        mean = sum(run["accuracy"] for run in of_codec) / len(seeds)
        distance = ""
        if "none" in codecs:
            none = sum(runs["none", seed]["accuracy"] for seed in seeds) / len(seeds)
            distance = f"{mean - none:+9.2f}"
        print(f"{codec:17} {of_codec[0]['bytes_sent_per_rank']:12d} B  " +
              "".join(f"{run['accuracy']:9.2f}" for run in of_codec) + f"{mean:9.2f}{distance}")


if __name__ == "__main__":
    main()
