#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Test accuracy on Fashion-MNIST at growing global batches, with and without each ingredient of
large batches: scaling of the rate, warm-up, LARS; and with LAMB at a rate of its own.

Runs that the file of results holds already are not repeated, so that it can be stopped and gone on
with. Usage: large_batch.py [--network N] [--epochs E] [--seeds 1,2,3] [--batches 64,256,1024,4096]
"""
import argparse
import json
import pathlib
import shlex
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LARS = ["--optimizer", "lars", "--trust", "0.02"]
LAMB = ["--optimizer", "lamb", "--learning-rate"]  # at the best rate of those tried


def recipes(batch):
    """The name and the flags of every run at a batch; the first is the best."""
    scaled = ["--rate-scaling", "linear"]
    warm = ["--warm-up-epochs", "5"]
    if batch == 64:
        return {"base": []}
    table = {"scaling, warm-up": scaled + warm,
             "scaling": scaled,
             "neither": []}
    if batch >= 4096:
        table = {"scaling, warm-up, LARS": scaled + warm + LARS,
                 "scaling, LARS": scaled + LARS} | table
        return {"LAMB": LAMB + ["0.03", "--warm-up-epochs", "3"]} | table
    if batch >= 1024:
        return {"LAMB": LAMB + ["0.02", "--warm-up-epochs", "2"]} | table
    return table


def train(options, batch, flags, seed):
    """The test accuracy of one run."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "result.json"
        command = shlex.split(options.prefix) + [
            str(options.lockstep), "train", "--network", options.network, "--epochs",
            str(options.epochs), "--batch", str(batch), "--rate-policy", "cosine", "--seed",
            str(seed), "--out", str(out)] + flags
        if "--learning-rate" not in flags:
            command += ["--learning-rate", str(options.rate)]
        print(" ".join(command), flush=True)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return json.loads(out.read_text())["learning"]["test_accuracy"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lockstep", default=ROOT / "build/release/lockstep")
    parser.add_argument("--network", default="lenet5")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--rate", type=float, default=0.01, help="at batch 64")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--batches", default="64,256,1024,4096")
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path("large_batch.json"))
    parser.add_argument("--prefix", default="", help="a command to run each training with")
    options = parser.parse_args()
    done = json.loads(options.results.read_text()) if options.results.exists() else {}
    batches = [int(batch) for batch in options.batches.split(",")]
    for seed in options.seeds.split(","):
        for batch in batches:
            for name, flags in recipes(batch).items():
                key = f"{options.network} {options.epochs} {batch} {name} {seed}"
                if key not in done:
                    done[key] = train(options, batch, flags, seed)
                    options.results.write_text(json.dumps(done, indent=1) + "\n")
    print(f"\n{'batch':>6} {'recipe':<24} {'mean':>8}  of seeds {options.seeds}")
    for batch in batches:
        for name in recipes(batch):
            accuracies = [done[f"{options.network} {options.epochs} {batch} {name} {seed}"]
                          for seed in options.seeds.split(",")]
            each = " ".join(f"{100 * accuracy:.2f}" for accuracy in accuracies)
            print(f"{batch:>6} {name:<24} {100 * statistics.mean(accuracies):>7.2f} %  {each}")


if __name__ == "__main__":
    main()
