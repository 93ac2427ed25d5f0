#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Training speed beside PyTorch's: same networks, batches and threads, in turns on one machine.

PyTorch runs as Debian ships it, and with its allocator told to keep what it has. Every figure is
the median over the rounds of medians over iterations; the ratio is the median of the rounds'.

Usage: network_speed.py [--lockstep PATH] [--rounds N] [--seconds S] [NETWORK:BATCH:THREADS ...]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
JOBS = [f"{job}:{threads}" for job in ("fashion-cnn:64", "fashion-cnn:256", "dogs-cats-cnn:32",
                                       "resnet18-64:32") for threads in (1, 2)]
TUNED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 34),
         "MALLOC_TOP_PAD_": str(1 << 28)}


def run_lockstep(program, network, batch, threads):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.json")
        subprocess.run([program, "bench", "network", network, "--batch", batch, "--threads",
                        threads, "--out", out], check=True, stdout=subprocess.DEVNULL)
        with open(out, encoding="utf-8") as file:
            return json.load(file)


def run_torch(network, batch, threads, seconds, environment):
    command = [sys.executable, os.path.join(HERE, "peers", "torch_step.py"),
               os.path.join(ROOT, "models", "network", "zoo", network + ".json"), batch, threads,
               str(seconds)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True,
                         env={**os.environ, "OMP_NUM_THREADS": threads, **environment})
    return json.loads(run.stdout)


def compare(job, options):
    network, batch, threads = job.split(":")
    speeds, memory = {}, {}
    for _ in range(options.rounds):
        for name, figures in (
                ("lockstep", run_lockstep(options.lockstep, network, batch, threads)),
                ("torch", run_torch(network, batch, threads, options.seconds, {})),
                ("tuned", run_torch(network, batch, threads, options.seconds, TUNED))):
            speeds.setdefault(name, []).append(figures["images_per_second"])
            memory[name] = max(memory.get(name, 0), figures["peak_memory_bytes"])
    median = {name: statistics.median(values) for name, values in speeds.items()}

    def ratio(name):
        return statistics.median(ours / theirs for ours, theirs in
                                 zip(speeds["lockstep"], speeds[name]))

    print(f"{network:14} {batch:>5} {threads:>7} {median['lockstep']:9.1f} {median['torch']:9.1f} "
          f"{median['tuned']:9.1f} {ratio('torch'):7.2f} {ratio('tuned'):7.2f} "
          f"{memory['lockstep'] / 1e6:9.0f} {memory['torch'] / 1e6:9.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lockstep", default=os.path.join(ROOT, "build/release/lockstep"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="of a PyTorch run")
    parser.add_argument("jobs", nargs="*", default=JOBS, metavar="NETWORK:BATCH:THREADS")
    options = parser.parse_args()
    print(f"{'':14} {'':5} {'':7} {'images/s':^29} {'ratio to torch':^15} {'peak MB':^19}")
    print(f"{'network':14} {'batch':>5} {'threads':>7} {'lockstep':>9} {'torch':>9} {'tuned':>9} "
          f"{'stock':>7} {'tuned':>7} {'lockstep':>9} {'torch':>9}")
    for job in options.jobs:
        compare(job, options)


if __name__ == "__main__":
    main()
