#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Test accuracy of fashion-cnn on Fashion-MNIST after some epochs: lockstep's beside PyTorch's.

Both begin with the same parameters and see the same batches, for each of some seeds: at the same
rate single runs scatter by more than what they are asked to agree within, so the means are compared.

Usage: same_accuracy.py [--lockstep PATH] [--epochs N] [--threads N] [--seeds 1,2,3]
                        [--learning-rate R]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "peers"))

import fashion_mnist  # noqa: E402
import safetensors  # noqa: E402
from torch_network import load_network  # noqa: E402

BATCH, MOMENTUM = 64, 0.9


def train_torch(network, epochs, rate, seed):
    images, labels = fashion_mnist.load("train")
    optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=MOMENTUM)
    for epoch in range(epochs):
        order = torch.tensor(fashion_mnist.order(len(images), seed, epoch))
        for first in range(0, len(images) - BATCH + 1, BATCH):
            chosen = order[first:first + BATCH]
            optimizer.zero_grad(set_to_none=True)
            network.loss(network(images[chosen]), labels[chosen]).backward()
            optimizer.step()
    images, labels = fashion_mnist.load("t10k")
    with torch.no_grad():
        correct = sum(network.correct(network(images[i:i + 500]), labels[i:i + 500])
                      for i in range(0, len(images), 500))
    return correct / len(images)


def train_lockstep(options, parameters, seed):
    with tempfile.TemporaryDirectory() as folder:
        init, out = os.path.join(folder, "init"), os.path.join(folder, "out.json")
        safetensors.save(init, parameters)
        subprocess.run([options.lockstep, "train", "--network", "fashion-cnn", "--batch",
                        str(BATCH), "--learning-rate", str(options.learning_rate), "--momentum",
                        str(MOMENTUM), "--seed", str(seed), "--epochs", str(options.epochs),
                        "--threads", str(options.threads), "--init", init, "--out", out],
                       check=True, stdout=subprocess.DEVNULL)
        with open(out, encoding="utf-8") as file:
            return json.load(file)["learning"]["test_accuracy"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lockstep", default=os.path.join(ROOT, "build/release/lockstep"))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--learning-rate", type=float, default=0.01)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ours, theirs = [], []
    for seed in map(int, options.seeds.split(",")):
        torch.manual_seed(seed)
        network = load_network(os.path.join(ROOT, "models", "network", "zoo", "fashion-cnn.json"))
        parameters = {name: value.clone() for name, value in network.state_dict().items()}
        ours.append(100 * train_lockstep(options, parameters, seed))
        theirs.append(100 * train_torch(network, options.epochs, options.learning_rate, seed))
        print(f"seed {seed}: lockstep {ours[-1]:.2f} %, PyTorch {theirs[-1]:.2f} %", flush=True)
    print(f"mean after {options.epochs} epochs: lockstep {statistics.fmean(ours):.2f} %, PyTorch "
          f"{statistics.fmean(theirs):.2f} %")


if __name__ == "__main__":
    main()
