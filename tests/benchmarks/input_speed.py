#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does decoding keep up? Training from JPEG files beside training from decoded images in memory.

Both train the same job on the same images, in turns; decoding has no processors of its own. The
ratio is the median of the rounds', 1 would be decoding for nothing. What an image costs to load is
processor time, so `decoding` is that time's share of what the job's cores have.

Usage: input_speed.py FOLDER [--lockstep PATH] [--rounds N] [FLAG OF lockstep train ...]
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
JOB = ["--network", "dogs-cats-cnn", "--ranks", "2", "--batch", "64", "--iterations", "16",
       "--test-share", "0.002", "--replica-check", "0"]


def train(program, flags):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "result.json")
        subprocess.run([program, "train", *JOB, *flags, "--out", path], check=True,
                       stdout=subprocess.DEVNULL)
        with open(path) as file:
            return json.load(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--lockstep", default=os.path.join(ROOT, "build/release/lockstep"))
    parser.add_argument("--rounds", type=int, default=3)
    options, flags = parser.parse_known_args()
    flags += ["--data", options.folder]
    print(f"{'':5} {'images/s':^15} {'':7} {'us to load':^15}")
    print(f"{'round':5} {'memory':>7} {'files':>7} {'ratio':>7} {'memory':>7} {'files':>7} "
          f"{'decoding':>9}")
    ratios = []
    for turn in range(options.rounds):
        order = [("memory", ["--cache", "memory"]), ("files", [])]
        results = {name: train(options.lockstep, flags + more)
                   for name, more in (order if turn % 2 == 0 else reversed(order))}
        speed = {name: result["summary"]["images_per_second"] for name, result in results.items()}
        load = {name: result["images"]["core_seconds_per_image"]
                for name, result in results.items()}
        job = results["files"]["job"]
        ratios.append(speed["files"] / speed["memory"])
        print(f"{turn:5} {speed['memory']:7.1f} {speed['files']:7.1f} {ratios[-1]:7.3f} "
              f"{1e6 * load['memory']:7.0f} {1e6 * load['files']:7.0f} "
              f"{100 * load['files'] * speed['files'] / job['ranks'] / job['threads']:7.1f} %",
              flush=True)
    print(f"median ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
