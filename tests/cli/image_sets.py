#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""JPEG image sets through the program: any ranks, threads and caches train alike, faulty files are
skipped and said, and what must not be is an error.

usage: image_sets.py LOCKSTEP REPOSITORY"""
import array
import json
import math
import os
import socket
import struct
import subprocess
import sys
import tempfile

LOCKSTEP, REPOSITORY = sys.argv[1:3]
NETWORK = {
    "name": "tiny", "input": {"height": 32, "width": 32, "channels": 3}, "classes": 2,
    "layers": [{"kind": "convolution", "channels": 8, "kernel": 3, "stride": 2}, {"kind": "relu"},
               {"kind": "convolution", "channels": 8, "kernel": 3, "stride": 2}, {"kind": "relu"},
               {"kind": "dense", "features": 2}]}
FAULTS = []


def check(condition, text):
    if not condition:
        FAULTS.append(text)


def run(*arguments, status=0):
    done = subprocess.run([LOCKSTEP, *arguments], capture_output=True, text=True, timeout=120)
    check(done.returncode == status,
          f"{' '.join(arguments)}: status {done.returncode}, expected {status}: {done.stderr}")
    return done


def load(path):
    with open(path) as file:
        return json.load(file)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def floats(path):
    content = read(path)
    length, = struct.unpack("<Q", content[:8])
    return array.array("f", content[8 + length:])


def distance(a, b):
    return (math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b)))
            / math.sqrt(sum(y * y for y in b)))


class Folder:
    def __init__(self, root):
        self.root = root
        self.set = self / "set"
        with open(self / "tiny.json", "w") as file:
            json.dump(NETWORK, file)

    def __truediv__(self, name):
        return os.path.join(self.root, name)

    def train(self, name, *flags, augment="on", status=0):
        """Trains for 12 iterations, more than an epoch of 64 images; the parameters go to `name`."""
        return run("train", "--network", self / "tiny.json", "--data", self.set, "--batch", "12",
                   "--iterations", "12", "--augment", augment, "--replica-check", "3",
                   "--save-parameters", self / name, "--out", self / "result.json", *flags,
                   status=status)


def everything_trains_alike(at):
    run("data", "make", "--out", at.set, "--images", "80", "--size", "64")
    at.train("1")
    result = load(at / "result.json")
    check(result["job"]["input"] == "jpeg", "what loading takes")
    check(len(result["job"]["pixel_mean"]) == 3, "the mean is settled")
    images = result["images"]
    check((images["train"], images["test"], images["classes"]) == (64, 16, ["cat", "dog"]),
          f"{images}")
    check(images["skipped"] == 0 and images["core_seconds_per_image"] > 0, f"{images}")
    done = subprocess.run(
        [sys.executable, os.path.join(REPOSITORY, "tests/cli/validate_schema.py"),
         os.path.join(REPOSITORY, "models/results/result.schema.json"), at / "result.json"],
        capture_output=True, text=True)
    check(done.returncode == 0, done.stdout + done.stderr)

    # One rank: not a bit differs.
    for flags in (["--decode-threads", "3"], ["--decode-threads", "0"], ["--cache", "memory"],
                  ["--cache", at / "cache"], ["--cache", at / "cache"],
                  ["--cache", at / "cache", "--cache-bytes", "100 kB"]):
        at.train("other", *flags)
        check(read(at / "other") == read(at / "1"), f"{flags} changes what is trained")
    check(load(at / "result.json")["job"]["input"] == "pixels", "what loading takes with a cache")
    # Several: but for rounding.
    for flags in (["--ranks", "2"], ["--ranks", "3"], ["--ranks", "2", "--cache", at / "cache2"]):
        at.train("other", *flags)
        difference = distance(floats(at / "other"), floats(at / "1"))
        check(difference < 1e-4, f"{flags}: {difference:.2g}")
    check(sorted(os.listdir(at / "cache2")) == ["test.pictures", "train.pictures"], "the cache")
    # Other images, other parameters.
    at.train("other", augment="off")
    check(distance(floats(at / "other"), floats(at / "1")) > 1e-3, "augmentation does nothing")
    at.train("other", "--seed", "2")
    check(load(at / "result.json")["job"]["test_share"] == 0.2, "the share is said")


def a_result_repeats_itself(at):
    at.train("first")
    run("train", "--job", at / "result.json", "--save-parameters", at / "second")
    check(read(at / "first") == read(at / "second"), "a result given to --job trains differently")


def faulty_files_are_skipped_and_said(at):
    train = os.path.join(at.set, "train")
    names = sorted(os.listdir(train))
    whole = read(os.path.join(train, names[3]))
    faulty = {names[3]: whole[:len(whole) // 2], names[40]: b"", names[50]: b"GIF89a",
              names[70]: whole[:200] + bytes(500) + whole[700:]}
    kept = {name: read(os.path.join(train, name)) for name in faulty}
    for name, content in faulty.items():
        with open(os.path.join(train, name), "wb") as file:
            file.write(content)
    at.train("1", "--skipped-out", at / "skipped")
    images = load(at / "result.json")["images"]
    check(images["skipped"] == 4, f"{images}")
    skipped = read(at / "skipped").decode().splitlines()
    check([line.split(": ")[0] for line in skipped] == sorted(faulty), f"{skipped}")
    check(images["skipped_files"] == skipped, f"{images}")
    for ranks in ("2", "3"):
        at.train("other", "--ranks", ranks, "--skipped-out", at / "skipped2")
        check(distance(floats(at / "other"), floats(at / "1")) < 1e-4, "others stand in")
        check(read(at / "skipped2") == read(at / "skipped"), "all ranks' are said")
    for ranks in ("1", "2"):
        done = at.train("strict", "--strict", "--ranks", ranks, status=2)
        check(any(name in done.stderr for name in faulty), done.stderr)
        check(not os.path.exists(at / "strict"), "strict leaves something")
    done = run("data", "check", at.set, status=1)
    check(sum(name in done.stdout for name in faulty) == 4, done.stdout)
    for name, content in kept.items():
        with open(os.path.join(train, name), "wb") as file:
            file.write(content)
    at.train("strict", "--strict", "--ranks", "2")
    check("of which 0" in run("data", "check", at.set).stdout, "all is well again")


def ranks_must_see_the_same_images(at):
    run("data", "make", "--out", at / "more", "--images", "82", "--size", "64")
    common = ["train", "--network", at / "tiny.json", "--ranks", "2", "--timeout", "5"]
    with open(at / "secret", "w") as file:
        file.write("a secret of some length")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = ["--rendezvous", f"127.0.0.1:{port}", "--secret-file", at / "secret"]
    other = subprocess.Popen([LOCKSTEP, *common, "--rank", "1", *where, "--data", at / "more"],
                             stderr=subprocess.PIPE, text=True)
    first = subprocess.run([LOCKSTEP, *common, "--rank", "0", *where, "--data", at.set, "--batch",
                            "12", "--iterations", "3"], capture_output=True, text=True, timeout=60)
    error = other.communicate(timeout=60)[1]
    check(other.returncode == 2, f"status {other.returncode}: {error}")
    check("not those of rank 0" in error, error)
    check(first.returncode == 3 and "not those of rank 0" in first.stderr, first.stderr)


def other_shapes(at):
    """Grey pictures, folders, a wide input."""
    run("data", "make", "--out", at / "folders", "--images", "40", "--size", "48", "--layout",
        "folders", "--difficulty", "0.2", "--seed", "7")
    network = dict(NETWORK, input={"height": 20, "width": 44, "channels": 1})
    with open(at / "wide.json", "w") as file:
        json.dump(network, file)
    run("train", "--network", at / "wide.json", "--data", at / "folders", "--batch", "8",
        "--iterations", "6", "--ranks", "2", "--pixel-mean", "0.5", "--pixel-std", "0.25",
        "--test-share", "0.5", "--out", at / "result.json")
    result = load(at / "result.json")
    check(result["images"]["train"] == 20, "half of it")
    check(result["job"]["pixel_mean"] == [0.5], "the mean that was given")


def main():
    with tempfile.TemporaryDirectory() as root:
        at = Folder(root)
        for test in (everything_trains_alike, a_result_repeats_itself,
                     faulty_files_are_skipped_and_said, ranks_must_see_the_same_images,
                     other_shapes):
            test(at)
    print("\n".join(FAULTS) or "image sets: fine")
    return 1 if FAULTS else 0


sys.exit(main())
