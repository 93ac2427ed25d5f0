#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Synchronous, local, stale-bounded and asynchronous training: predicted beside measured images per
second, and the test accuracy after the same number of epochs.

All predictions are made before anything runs. Rates are medians over rounds, in which the ways of
training take turns.

Usage: staleness.py --machine machine.json [--ranks 2,4] [--epochs 3] [--rounds 3]
       staleness.py --machine machine.json --testbed topology.json   # as root: unequal hosts
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVER = ["--algorithm", "parameter-server"]
WAYS = {
    "synchronous, ring": [],
    "synchronous, parameter server": SERVER,
    "local SGD, 8 steps": ["--local-steps", "8"],
    "staleness 0": [*SERVER, "--staleness", "0"],
    "staleness 2": [*SERVER, "--staleness", "2"],
    "asynchronous": [*SERVER, "--staleness", "unbounded"],
}


def lockstep(options, command, *arguments):
    """The JSON that the command writes."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.json")
        run = [options.lockstep, command, "--network", options.network, *arguments, "--out", out]
        if options.testbed and command == "train":
            run = [options.lockstep, "testbed", options.testbed, "--", *run]
        subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
        with open(out, encoding="utf-8") as file:
            return json.load(file)


def rate(result):
    return result["summary"]["images_per_second"]


def built(options, folder):
    """The topology that the testbed makes of the one that is wanted."""
    scaled = os.path.join(folder, "built.json")
    subprocess.run([options.lockstep, "testbed", options.testbed, "--scaled", scaled], check=True,
                   stdout=subprocess.DEVNULL)
    return scaled


def compare(options, ranks, folder):
    topology = ["--topology", built(options, folder)] if options.testbed else []
    job = {way: ["--ranks", str(ranks), "--batch", str(options.batch_per_rank * ranks), *more]
           for way, more in WAYS.items()}
    predicted = {way: rate(lockstep(options, "simulate", *job[way], *topology, "--machine",
                                   options.machine))
                 for way in WAYS}
    measured = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way in WAYS:
            measured[way].append(rate(lockstep(options, "train", *job[way], "--iterations",
                                               str(options.iterations))))
    accuracy = {}
    for way in WAYS if options.epochs > 0 else []:
        accuracy[way] = lockstep(options, "train", *job[way], "--epochs",
                                 str(options.epochs))["learning"]["test_accuracy"]
    print(f"\n{ranks} ranks\n\n| | predicted | measured | error | accuracy |\n"
          "|---|---|---|---|---|")
    for way in WAYS:
        median = statistics.median(measured[way])
        error = predicted[way] / median - 1
        learnt = f"{100 * accuracy[way]:.2f} %" if way in accuracy else ""
        print(f"| {way} | {predicted[way]:.0f} | {median:.0f} | {error:+.0%} | {learnt} |",
              flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lockstep", default=os.path.join(ROOT, "build/release/lockstep"))
    parser.add_argument("--machine", required=True)
    parser.add_argument("--testbed", help="topology to build, with a rank on each host")
    parser.add_argument("--network", default="lenet5")
    parser.add_argument("--batch-per-rank", type=int, default=32)
    parser.add_argument("--ranks", default="2,4")
    parser.add_argument("--iterations", type=int, default=400, help="of each measured rate")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=3, help="0: no accuracy")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for ranks in map(int, options.ranks.split(",")):
            compare(options, ranks, folder)


if __name__ == "__main__":
    main()
