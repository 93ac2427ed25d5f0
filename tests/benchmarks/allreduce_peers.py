#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""All-reduces beside Gloo's and Open MPI's, in turns on one machine.

For every number of ranks and size: lockstep's --algorithm auto over TCP, every algorithm of Gloo and
of Open MPI over TCP with cubic and with BBR, and lockstep and Open MPI through shared memory. Peers
that a first round shows far behind the fastest peer are left out of the others. The peer is the one
with the least median; quartiles are over all repetitions of all rounds.

Usage: allreduce_peers.py --machine FILE [--lockstep PATH] [--rounds N] [--ranks 2,4,8]
                          [--sizes BYTES,...] [--out FILE]
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SIZES = [1024, 65536, 1 << 20, 16 << 20, 100_000_000]
GLOO = ["v2-ring", "v2-bcube", "ring", "ring-chunked", "halving-doubling", "bcube"]
OPEN_MPI = {"default": 0, "recursive-doubling": 3, "ring": 4, "segmented-ring": 5,
            "rabenseifner": 6}
TCP = "--mca btl tcp,self --mca btl_tcp_if_include lo --mca pml ob1".split()
REPETITIONS = 5
FAR_BEHIND = 1.5


def build(folder):
    peers = os.path.join(HERE, "peers")
    for command in (
            ["g++", "-O3", "-march=native", f"{peers}/gloo_allreduce.cpp", "-o", f"{folder}/gloo",
             "-lgloo"],
            ["mpicc.openmpi", "-O3", f"{peers}/mpi_allreduce.c", "-o", f"{folder}/mpi"],
            ["gcc", "-shared", "-fPIC", "-O2", f"{peers}/congestion_shim.c", "-o",
             f"{folder}/shim.so", "-ldl"]):
        subprocess.run(command, check=True)


def back_to_back(size):
    """As lockstep does it."""
    return 200 if size <= 64 << 10 else 50 if size <= 1 << 20 else 10 if size <= 16 << 20 else 3


def run(command, **environment):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300,
                          env={**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1",
                               "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", **environment})
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def times_of(text):
    """None when the sums were wrong."""
    words = text.split()
    return [float(word) for word in words[1:]] if words[0] == "ok" else None


def peer_runs(folder, ranks, size):
    """{name: function that returns microseconds}, over TCP."""
    count = [str(size), str(REPETITIONS), str(back_to_back(size))]
    runs = {}
    for congestion in ("cubic", "bbr"):
        shim = {"CONGESTION": congestion, "LD_PRELOAD": f"{folder}/shim.so"}
        for algorithm in GLOO:
            command = [f"{folder}/gloo", algorithm, str(ranks), *count]
            runs[f"Gloo {algorithm}, {congestion}"] = (
                lambda command=command, shim=shim: times_of(run(command, **shim)))
        for name, number in OPEN_MPI.items():
            choice = [] if number == 0 else ["--mca", "coll_tuned_use_dynamic_rules", "1", "--mca",
                                             "coll_tuned_allreduce_algorithm", str(number)]
            exported = [word for key, value in shim.items() for word in ("-x", f"{key}={value}")]
            command = ["mpirun.openmpi", "--oversubscribe", "-np", str(ranks), *exported, *TCP,
                       *choice, f"{folder}/mpi", *count]
            runs[f"Open MPI {name}, {congestion}"] = (
                lambda command=command: times_of(run(command)))
    return runs


def open_mpi_shared(folder, ranks, size):
    return times_of(run(["mpirun.openmpi", "--oversubscribe", "-np", str(ranks), f"{folder}/mpi",
                         str(size), str(REPETITIONS), str(back_to_back(size))]))


def ours(options, folder, ranks, size, way):
    out = f"{folder}/rows.json"
    run([options.lockstep, "bench", "allreduce", "--ranks", str(ranks), "--sizes", str(size),
         "--algorithm", "auto", "--machine", options.machine, "--intra-host", way, "--repetitions",
         str(REPETITIONS), "--out", out])
    with open(out, encoding="utf-8") as file:
        row = json.load(file)["rows"][0]
    assert row["errors"] == 0
    return row["algorithm"], row["times_us"]


def quartile(times, which):
    return statistics.quantiles(times, n=4)[which - 1]


def measure(options, folder, ranks, size):
    own, own_shared, shared, algorithms = [], [], [], set()
    runs = peer_runs(folder, ranks, size)
    peers = {name: [] for name in runs}
    for round_number in range(options.rounds):
        algorithm, times = ours(options, folder, ranks, size, "tcp")
        algorithms.add(algorithm)
        own += times
        for name in list(peers):
            times = runs[name]()
            if times is None:  # Gloo's "bcube" at times, with eight ranks
                print(f"left out, its sums are wrong: {name}", file=sys.stderr)
                del peers[name]
            else:
                peers[name] += times
        if size >= 16 << 20:
            own_shared += ours(options, folder, ranks, size, "shm")[1]
            shared += open_mpi_shared(folder, ranks, size)
        if round_number == 0:
            least = min(statistics.median(times) for times in peers.values())
            peers = {name: times for name, times in peers.items()
                     if statistics.median(times) <= FAR_BEHIND * least}
    best = min(peers, key=lambda name: statistics.median(peers[name]))
    cell = {"ranks": ranks, "bytes": size, "algorithms": sorted(algorithms), "peer": best,
            "own_us": own, "peer_us": peers[best],
            "ratio": statistics.median(peers[best]) / statistics.median(own),
            "holds": quartile(own, 1) <= 1.05 * quartile(peers[best], 3)}
    if shared:
        cell |= {"shared_us": own_shared, "open_mpi_shared_us": shared,
                 "shared_ratio": statistics.median(shared) / statistics.median(own_shared)}
    return cell


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--machine", required=True)
    parser.add_argument("--lockstep", default=os.path.join(ROOT, "build/release/lockstep"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ranks", default="2,4,8")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--out")
    options = parser.parse_args()
    cells = []
    with tempfile.TemporaryDirectory() as folder:
        build(folder)
        print(f"{'ranks':>5} {'bytes':>10} {'ours (us)':>10} {'peer (us)':>10} {'ratio':>6}  "
              f"holds  ours / best peer; shared memory: ratio to Open MPI")
        for ranks in map(int, options.ranks.split(",")):
            for size in map(int, options.sizes.split(",")):
                cell = measure(options, folder, ranks, size)
                cells.append(cell)
                shared = f"; {cell['shared_ratio']:.1f}" if "shared_ratio" in cell else ""
                print(f"{ranks:5} {size:10} {statistics.median(cell['own_us']):10.1f} "
                      f"{statistics.median(cell['peer_us']):10.1f} {cell['ratio']:6.2f}  "
                      f"{'yes' if cell['holds'] else 'NO':5}  {', '.join(cell['algorithms'])} / "
                      f"{cell['peer']}{shared}", flush=True)
                if options.out:
                    with open(options.out, "w", encoding="utf-8") as file:
                        json.dump({"cells": cells}, file, indent=1)
    mean = math.exp(statistics.fmean(math.log(cell["ratio"]) for cell in cells))
    print(f"geometric mean of the ratios: {mean:.2f}; holds in "
          f"{sum(cell['holds'] for cell in cells)} of {len(cells)} cells")


if __name__ == "__main__":
    main()
