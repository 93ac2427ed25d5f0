#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Seconds to a test accuracy: what lockstep plan predicts beside what training takes.

One learning run at a middle batch; the plan for all batches and numbers of ranks, written down;
then all runs, tested every 100 iterations off the clock. The measured seconds are the iterations
until the accuracy is first reached × the mean iteration.

Usage: time_to_accuracy.py --machine machine.json [--targets 0.88,0.9] [--batches 64,256,1024]
"""
import argparse
import json
import os
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def lockstep(options, *arguments):
    """The JSON that the command writes."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.json")
        subprocess.run([options.lockstep, *arguments, "--out", out], check=True,
                       stdout=subprocess.DEVNULL)
        with open(out, encoding="utf-8") as file:
            return json.load(file)


def train(options, batch, ranks, *more):
    return lockstep(options, "train", "--network", options.network, "--batch", str(batch),
                    "--ranks", str(ranks), "--epochs", str(options.epochs), "--learning-rate",
                    str(options.rate), "--rate-scaling", "sqrt", "--test-every", "100",
                    "--replica-check", "0", *more)


def iterations_to(curve, target):
    """Straight between the points of the curve; None if it never gets there."""
    before = None
    for point in curve:
        if point["accuracy"] >= target:
            if before is None or point["accuracy"] == before["accuracy"]:
                return point["iterations"]
            share = (target - before["accuracy"]) / (point["accuracy"] - before["accuracy"])
            return before["iterations"] + share * (point["iterations"] - before["iterations"])
        before = point
    return None


def compare(plans, results, targets):
    for target in targets:
        print(f"\nto {100 * target:g} %\n{'ranks':>6} {'batch':>6} {'predicted':>20} "
              f"{'measured':>20} {'error':>8}")
        rows = []
        for row in plans[target]["rows"]:
            result = results[row["ranks"], row["batch"]]
            iterations = iterations_to(result["learning"]["curve"], target)
            label = f"{row['ranks']:>6} {row['batch']:>6} {row['seconds']:>8.1f} s " \
                    f"{row['iterations']:>6.0f} it"
            if iterations is None:
                print(f"{label}          not reached")
                continue
            seconds = iterations * result["summary"]["iteration_seconds"]["mean"]
            rows.append((row["seconds"], seconds))
            print(f"{label} {seconds:>9.1f} s {iterations:>6.0f} it "
                  f"{row['seconds'] / seconds - 1:>+8.1%}")
        if rows:
            print(f"regret of the predicted best: "
                  f"{min(rows)[1] / min(measured for _, measured in rows) - 1:.1%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lockstep", default=os.path.join(ROOT, "build/release/lockstep"))
    parser.add_argument("--machine", required=True)
    parser.add_argument("--network", default="lenet5")
    parser.add_argument("--rate", type=float, default=0.01, help="at batch 64")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--targets", default="0.88,0.9")
    parser.add_argument("--batches", default="64,256,1024")
    parser.add_argument("--ranks", default="1,2,4")
    options = parser.parse_args()
    batches = [int(batch) for batch in options.batches.split(",")]
    targets = [float(target) for target in options.targets.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        learning = os.path.join(folder, "learning.json")
        with open(learning, "w", encoding="utf-8") as file:
            json.dump(train(options, batches[len(batches) // 2], 1, "--accumulate", "2",
                            "--noise-scale", "on"), file)
        plans = {target: lockstep(options, "plan", "--learning", learning, "--target-accuracy",
                                  str(target), "--machine", options.machine, "--plan-ranks",
                                  options.ranks, "--plan-batches", options.batches,
                                  "--plan-algorithms", "ring", "--plan-codecs", "none")
                 for target in targets}
    for target in targets:
        for row in plans[target]["rows"]:
            print(f"predicted to {100 * target:g} %: {row['ranks']} rank(s), batch {row['batch']}: "
                  f"{row['seconds']:.1f} s", flush=True)
    results = {(ranks, batch): train(options, batch, ranks)
               for ranks in map(int, options.ranks.split(",")) for batch in batches}
    compare(plans, results, targets)


if __name__ == "__main__":
    main()
