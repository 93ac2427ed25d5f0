#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How much faster two ranks are than one at the same global batch, one thread each, in turns.

Behind each ratio, where the rest of 2 goes: by how much the two ranks' computing takes longer than
half of the one's, and what communication shows beyond it, in per cent of the two ranks' iteration.

Usage: rank_speedup.py [--rounds N] [--iterations N] NETWORK:BATCH [TRAIN-FLAGS ...]
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def train(options, flags, ranks):
    network, batch = options.job.split(":")
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.json")
        subprocess.run([options.lockstep, "train", "--network", network, "--batch", batch,
                        "--ranks", str(ranks), "--iterations", str(options.iterations),
                        "--replica-check", "0", "--out", out, *flags],
                       check=True, stdout=subprocess.DEVNULL)
        with open(out, encoding="utf-8") as file:
            summary = json.load(file)["summary"]
    return (summary["iteration_seconds"]["p50"], summary["compute_seconds"],
            summary["exposed_communication_seconds"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lockstep", default=os.path.join(ROOT, "build/release/lockstep"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("job", metavar="NETWORK:BATCH")
    options, flags = parser.parse_known_args()
    ratios = []
    print(f"{'1 rank':>10} {'2 ranks':>10} {'speed-up':>9} {'computing':>10} {'exposed':>8}")
    for _ in range(options.rounds):
        one, compute_of_one, _ = train(options, flags, 1)
        two, compute_of_two, exposed = train(options, flags, 2)
        ratios.append(one / two)
        print(f"{one:8.4f} s {two:8.4f} s {one / two:9.3f} "
              f"{100 * (compute_of_two - compute_of_one / 2) / two:8.1f} % "
              f"{100 * exposed / two:6.1f} %", flush=True)
    print(f"{options.job}: median speed-up {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
