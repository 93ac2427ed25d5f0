#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How well does logistic regression on small pictures tell the classes of a set of JPEG files apart?
What a linear look at colours and places can do, a network has to surpass. Every image is scaled to
SIZE×SIZE, a fifth is put aside for testing; weights are fitted by Newton's method under several
strengths of L2 regularisation, and the best test accuracy of all of them is printed too, which
flatters the regression.

usage: logistic_regression.py FOLDER [SIZE]     (Kaggle's layout: FOLDER/train/cat.0.jpg)"""
import os
import sys

import numpy
from PIL import Image


def load(folder, size):
    train = os.path.join(folder, "train")
    names = sorted(os.listdir(train))
    pixels = numpy.empty((len(names), 3 * size * size), numpy.float32)
    for row, name in enumerate(names):
        with Image.open(os.path.join(train, name)) as image:
            small = image.convert("RGB").resize((size, size), Image.Resampling.BOX)
            pixels[row] = numpy.asarray(small, numpy.float32).ravel() / 255
    return pixels, numpy.array([name.startswith("dog") for name in names], numpy.float32)


def fit(x, y, strength):
    """The minimum of the mean loss + strength/2 · |weights|², by Newton's method."""
    weights = numpy.zeros(x.shape[1])
    for _ in range(25):
        p = 1 / (1 + numpy.exp(-x @ weights))
        gradient = x.T @ (p - y) / len(y) + strength * weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x / len(y)
        hessian[numpy.diag_indices_from(hessian)] += strength
        step = numpy.linalg.solve(hessian, gradient)
        weights -= step
        if numpy.abs(step).max() < 1e-4 * max(numpy.abs(weights).max(), 1e-3):
            break
    return weights


def main():
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 32
    pixels, labels = load(sys.argv[1], size)
    order = numpy.random.default_rng(1).permutation(len(labels))
    test, train = order[:len(order) // 5], order[len(order) // 5:]
    mean, deviation = pixels[train].mean(0), pixels[train].std(0) + 1e-6
    x = numpy.hstack([(pixels - mean) / deviation, numpy.ones((len(labels), 1), numpy.float32)])
    best = 0
    for strength in (0.01, 0.1, 1, 10):
        weights = fit(x[train], labels[train], strength)
        right = ((x @ weights > 0) == (labels > 0.5))
        best = max(best, right[test].mean())
        print(f"strength {strength:6g}: {100 * right[train].mean():.1f} % of {len(train)} training "
              f"images, {100 * right[test].mean():.1f} % of {len(test)} test images", flush=True)
    print(f"best test accuracy: {100 * best:.1f} %")


main()
