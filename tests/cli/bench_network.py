#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lockstep bench network: its figures belong together, whatever they are.

usage: bench_network.py LOCKSTEP"""
import json
import os
import subprocess
import sys
import tempfile

LOCKSTEP = sys.argv[1]
# Multiply-adds of an image through lenet5, forward: its two convolutions and three dense layers.
LENET5 = 24 * 24 * 6 * 25 + 8 * 8 * 16 * 150 + 256 * 120 + 120 * 84 + 84 * 10


def near(a, b):
    return abs(a - b) <= 1e-6 * abs(b)


def main():
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "bench.json")
        run = subprocess.run([LOCKSTEP, "bench", "network", "lenet5", "--batch", "8", "--threads",
                              "2", "--out", out], stdout=subprocess.PIPE, text=True, check=True)
        with open(out, encoding="utf-8") as file:
            bench = json.load(file)
        again = subprocess.run([LOCKSTEP, "bench", "network", "lenet", "--out", out + "2"],
                               stderr=subprocess.PIPE, text=True, check=False)
        assert again.returncode == 2 and "lenet5" in again.stderr, again.stderr
        assert not os.path.exists(out + "2")
    rows = {row["name"]: row for row in bench["rows"]}
    assert (bench["network"], bench["batch"], bench["threads"]) == ("lenet5", 8, 2)
    assert near(bench["images_per_second"], 8 / bench["iteration_seconds"])
    assert near(bench["flops_per_second"] * bench["iteration_seconds"],
                sum(row["flops"] for row in rows.values()))
    assert near(bench["share_of_peak"], bench["flops_per_second"] / bench["peak_flops_per_second"])
    assert bench["peak_memory_bytes"] > 1 << 20
    for row in rows.values():
        assert row["seconds"] > 0, row
        assert near(row["roofline_seconds"],
                    max(row["flops"] / bench["peak_flops_per_second"],
                        row["bytes"] / bench["memory_bytes_per_second"])), row
        assert row["name"] in run.stdout, row
    multiply_adds = sum(rows[f"forward {name}"]["flops"]
                        for name in ("conv1", "conv2", "dense1", "dense2", "dense3")) / 2 / 8
    assert LENET5 <= multiply_adds < 1.05 * LENET5, multiply_adds  # biases, ReLU and pools add a little
    assert len(rows) == len(bench["rows"]), "two rows have one name"


main()
