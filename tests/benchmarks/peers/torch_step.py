#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Times training iterations (forward, backward, SGD with momentum) of a network in PyTorch.

Usage: torch_step.py NETWORK.json BATCH THREADS [SECONDS]
Prints one line of JSON.
"""
import json
import resource
import statistics
import sys
import time

import torch

from torch_network import load_network


def main():
    path, batch, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 3
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = load_network(path)
    images, labels = network.random_batch(batch)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)

    def step():
        optimizer.zero_grad(set_to_none=True)
        network.loss(network(images), labels).backward()
        optimizer.step()

    for _ in range(3):
        step()
    times = []
    while sum(times) < seconds or len(times) < 5:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    print(json.dumps({"images_per_second": batch / statistics.median(times),
                      "peak_memory_bytes":
                          1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                      "torch": torch.__version__}))


if __name__ == "__main__":
    main()
