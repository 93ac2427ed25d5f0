# SPDX-License-Identifier: Apache-2.0
"""Fashion-MNIST from Debian's package, and the order in which lockstep goes through images."""
import gzip
import os
import struct

import numpy
import torch

FOLDER = "/usr/share/datasets/fashion-mnist"
MASK = (1 << 64) - 1


def load(part):
    """Images in 0 … 1, channel first, and labels, of part "train" or "t10k"."""
    images = read(part + "-images-idx3-ubyte.gz")
    labels = read(part + "-labels-idx1-ubyte.gz")
    return torch.from_numpy(images).float().div(255).unsqueeze(1), torch.from_numpy(labels).long()


def read(name):
    with gzip.open(os.path.join(FOLDER, name)) as file:
        data = file.read()
    shape = struct.unpack(f">{data[3]}I", data[4:4 + 4 * data[3]])
    return numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * data[3]).reshape(shape).copy()


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def order(count, seed, epoch):
    """The images of an epoch (exec/data/batcher.cpp): Fisher–Yates with SplitMix64."""
    stream = 0x6F72646572
    state = mix((mix((mix(seed) + stream) & MASK) + epoch) & MASK)
    images = list(range(count))
    for i in range(count, 1, -1):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        other = mix(state) * i >> 64
        images[i - 1], images[other] = images[other], images[i - 1]
    return images
