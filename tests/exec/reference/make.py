#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the reference tensors of tests/exec/reference_test.cpp with PyTorch.

Each file holds a small network (as JSON in the metadata), its parameters by name, images, labels,
and what PyTorch makes of them: "loss", "scores", "gradient." of every learnt tensor, "after." of
every tracked one, and "testing scores", with running statistics and without dropout.

PyTorch computes in double precision; the results are rounded.

Usage: make.py    (needs python3-torch; writes beside itself)
"""
import json
import os
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../benchmarks/peers"))

import safetensors  # noqa: E402
from torch_network import Network  # noqa: E402


def layer(kind, **keys):
    return {"kind": kind, **{key.rstrip("_"): value for key, value in keys.items()}}


def conv(channels, kernel=3, **keys):
    return layer("convolution", channels=channels, kernel=kernel, **keys)


def network(height, width, channels, classes, *layers, **keys):
    return {"name": "reference", "input": {"height": height, "width": width, "channels": channels},
            "classes": classes, **keys, "layers": list(layers)}


RELU = layer("relu")
NETWORKS = {
    "convolutions": network(
        11, 10, 3, 4, conv(20, 5, stride=2, padding=2), RELU, conv(8, padding=1, groups=4),
        layer("max-pool", kernel=3, stride=2, padding=1), conv(33, 1), RELU,
        layer("average-pool", kernel=2, stride=1, padding=1), layer("flatten"),
        layer("dense", features=17), RELU, layer("dense", features=4)),
    "pools": network(
        19, 18, 2, 5, conv(18, padding=1), RELU, layer("max-pool", kernel=2), conv(33, padding=1),
        layer("max-pool", kernel=3), layer("dense", features=5)),
    "residual": network(
        8, 8, 3, 5, conv(16, padding=1, bias=False), layer("batch-norm"),
        layer("relu", name="in"),
        conv(20, 1, stride=2, bias=False, name="short.0", from_="in"),
        layer("batch-norm", name="short.1"),
        conv(20, stride=2, padding=1, bias=False, name="main.0", from_="in"),
        layer("batch-norm", name="main.1"), RELU,
        conv(20, padding=1, bias=False, name="main.3"), layer("batch-norm", name="main.4"),
        layer("add", with_="short.1"), RELU, layer("global-average-pool"),
        layer("dense", features=5)),
    "binary": network(
        6, 5, 2, 2, conv(7), RELU, layer("flatten"), layer("batch-norm"),
        layer("dense", features=9), RELU, layer("dense", features=1),
        loss="sigmoid-cross-entropy"),
}


def reference_of(description, batch=6):
    net = Network(description)
    for module in net.modules():
        if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.BatchNorm1d)):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    images, labels = net.random_batch(batch)
    net.double()
    images = images.double()
    tensors = {name: value.clone() for name, value in net.state_dict().items()
               if not name.endswith("num_batches_tracked")}
    tensors["images"], tensors["labels"] = images, labels
    net.eval()
    with torch.no_grad():
        tensors["testing scores"] = net(images)
    net.train()
    scores = net(images)
    loss = net.loss(scores, labels)
    loss.backward()
    tensors["scores"], tensors["loss"] = scores, loss.reshape(1)
    for name, parameter in net.named_parameters():
        tensors["gradient." + name] = parameter.grad
    for name, buffer in net.named_buffers():
        if "running" in name:
            tensors["after." + name] = buffer
    return tensors


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    for name, description in NETWORKS.items():
        safetensors.save(os.path.join(HERE, name + ".safetensors"), reference_of(description),
                         {"network": json.dumps(description)})


if __name__ == "__main__":
    main()
