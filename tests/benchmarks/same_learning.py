#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does lockstep learn what PyTorch learns?

From the same parameters and on the same batches: the losses of lockstep against PyTorch's, beside
what PyTorch with one thread differs from PyTorch with two (--double: and from double precision).

Usage: same_learning.py [--replay PATH] [--momentum M] [--double] [NETWORK ...]
"""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "peers"))

import fashion_mnist  # noqa: E402
import safetensors  # noqa: E402
from torch_network import load_network  # noqa: E402

ITERATIONS = 50
RATE = 0.01
BATCHES = {"fashion-cnn": (64, 50), "dogs-cats-cnn": (32, 10), "resnet18-64": (32, 10)}


def make_batches(name, network, images_per_batch, count):
    """Fashion-MNIST where it fits; else stripes whose direction says the class, in noise."""
    if name == "fashion-cnn":
        images, labels = fashion_mnist.load("train")
        total = images_per_batch * count
        return (images[:total].reshape(count, images_per_batch, *images.shape[1:]),
                labels[:total].reshape(count, images_per_batch))
    channels, height, width = network.input
    labels = torch.randint(0, network.classes, (count, images_per_batch))
    angle = labels.float() / network.classes * numpy.pi
    rows = torch.arange(height).float().view(1, 1, height, 1)
    columns = torch.arange(width).float().view(1, 1, 1, width)
    phase = (rows * angle.sin()[..., None, None] + columns * angle.cos()[..., None, None]) * 0.5
    shift = torch.rand(count, images_per_batch, 1, 1) * 6
    stripes = (phase + shift).sin().unsqueeze(2) * 0.3 + 0.5
    return stripes + torch.randn(count, images_per_batch, channels, height, width) * 0.3, labels


def train_torch(name, parameters, batches, momentum, threads, dtype=torch.float32):
    torch.set_num_threads(threads)
    network = load_network(zoo(name))
    network.load_state_dict(parameters, strict=False)
    network.to(dtype)
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE, momentum=momentum)
    losses = []
    for i in range(ITERATIONS):
        images, labels = batches[0][i % len(batches[0])], batches[1][i % len(batches[1])]
        optimizer.zero_grad()
        loss = network.loss(network(images.to(dtype)), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return numpy.array(losses)


def zoo(name):
    return os.path.join(ROOT, "models", "network", "zoo", name + ".json")


def compare(name, options):
    torch.manual_seed(1)
    network = load_network(zoo(name))
    batches = make_batches(name, network, *BATCHES[name])
    parameters = {key: value.clone() for key, value in network.state_dict().items()
                  if "num_batches" not in key}
    with tempfile.TemporaryDirectory() as folder:
        files = os.path.join(folder, "parameters"), os.path.join(folder, "batches")
        safetensors.save(files[0], parameters)
        safetensors.save(files[1], {"images": batches[0], "labels": batches[1]})
        ours = [numpy.array([float(line) for line in subprocess.run(
            [options.replay, name, *files, str(ITERATIONS), threads, str(RATE),
             str(options.momentum)], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.split()]) for threads in "12"]
    torch_1, torch_2 = (train_torch(name, parameters, batches, options.momentum, threads)
                        for threads in (1, 2))
    others = [("lockstep − torch", ours[0]), ("torch 2 threads − torch", torch_2)]
    if options.double:
        others.append(("torch double − torch", train_torch(name, parameters, batches,
                                                           options.momentum, 2, torch.float64)))
    assert (ours[0] == ours[1]).all(), "the number of threads must change no bit"
    print(f"{name}, momentum {options.momentum}: loss {torch_1[0]:.4f} → {torch_1[-1]:.4f}")
    print(f"  {'':28} {'first 10, relative':>20} {'first 50, absolute':>20}")
    for label, other in others:
        difference = numpy.abs(other - torch_1)
        print(f"  {label:28} {(difference / torch_1)[:10].max():20.2e} {difference.max():20.2e}")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replay",
                        default=os.path.join(ROOT, "build/release/tests/benchmarks/replay_batches"))
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument("--double", action="store_true")
    parser.add_argument("networks", nargs="*", default=list(BATCHES))
    options = parser.parse_args()
    for name in options.networks:
        compare(name, options)


if __name__ == "__main__":
    main()
