# SPDX-License-Identifier: Apache-2.0
"""A network of models/network/zoo as a PyTorch module, built from its JSON file.

Its state_dict() has the names of lockstep's safetensors files.
"""
import json
import math

import torch
import torch.nn.functional as functional
from torch import nn

POOLS = {"max-pool": nn.MaxPool2d, "average-pool": nn.AvgPool2d}
PREFIXES = {"convolution": "conv", "batch-norm": "norm", "max-pool": "pool",
            "average-pool": "pool", "global-average-pool": "pool"}


class Network(nn.Module):
    """Layers in the file's order, each fed by the one before unless it says from whom."""

    def __init__(self, description):
        super().__init__()
        self.input = [description["input"][key] for key in ("channels", "height", "width")]
        self.classes = description["classes"]
        self.binary = description.get("loss") == "sigmoid-cross-entropy"
        self.plan = []  # (name, module or None, from, with)
        shapes = {"images": torch.Size([2] + self.input)}
        counts = {}
        before = "images"
        for layer in description["layers"]:
            prefix = PREFIXES.get(layer["kind"], layer["kind"])
            counts[prefix] = counts.get(prefix, 0) + 1
            name = layer.get("name", f"{prefix}{counts[prefix]}")
            source = layer.get("from", before)
            module = make_module(layer, shapes[source], self.plan[-1][1] if self.plan else None)
            if module is not None:
                self.register(name, module)
            with torch.no_grad():
                shapes[name] = apply(module, torch.zeros(shapes[source])).shape
            self.plan.append((name, module, source, layer.get("with")))
            before = name

    def register(self, name, module):
        """As a child of children: a name like "layer1.0.conv1" is a path."""
        parent = self
        *path, last = name.split(".")
        for part in path:
            if part not in parent._modules:
                parent.add_module(part, nn.Module())
            parent = parent._modules[part]
        parent.add_module(last, module)

    def forward(self, images):
        outputs = {"images": images}
        for name, module, source, other in self.plan:
            outputs[name] = (outputs[source] + outputs[other] if module is None
                             else apply(module, outputs[source]))
        return outputs[self.plan[-1][0]]

    def loss(self, scores, labels):
        if self.binary:
            return functional.binary_cross_entropy_with_logits(scores.squeeze(1), labels.to(scores.dtype))
        return functional.cross_entropy(scores, labels)

    def correct(self, scores, labels):
        answers = (scores.squeeze(1) > 0).long() if self.binary else scores.argmax(1)
        return (answers == labels).sum().item()

    def random_batch(self, size):
        return torch.randn(size, *self.input), torch.randint(0, self.classes, (size,))


def apply(module, value):
    """Dense layers flatten what they are fed; the module of an addition is None."""
    if module is None:
        return value
    return module(value.flatten(1) if isinstance(module, nn.Linear) else value)


def make_module(layer, shape, before):
    kind = layer["kind"]
    kernel = layer.get("kernel")
    if kind == "convolution":
        return nn.Conv2d(shape[1], layer["channels"], kernel, layer.get("stride", 1),
                         layer.get("padding", 0), groups=layer.get("groups", 1),
                         bias=layer.get("bias", True))
    if kind == "dense":
        return nn.Linear(math.prod(shape[1:]), layer["features"])
    if kind == "batch-norm":
        return nn.BatchNorm2d(shape[1]) if len(shape) == 4 else nn.BatchNorm1d(shape[1])
    if kind == "relu":  # in place where torchvision does it: behind a normalisation or an addition
        return nn.ReLU(before is None or isinstance(before, (nn.BatchNorm2d, nn.BatchNorm1d)))
    if kind in POOLS:
        return POOLS[kind](kernel, layer.get("stride", kernel), layer.get("padding", 0))
    if kind == "global-average-pool":
        return nn.AdaptiveAvgPool2d(1)
    if kind == "dropout":
        return nn.Dropout(layer["rate"])
    if kind == "flatten":
        return nn.Flatten()
    assert kind == "add", kind
    return None


def load_network(path):
    with open(path, encoding="utf-8") as file:
        return Network(json.load(file))
