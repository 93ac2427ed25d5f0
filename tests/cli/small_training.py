# SPDX-License-Identifier: Apache-2.0
"""For tests of training by the command line: a scratch folder with drawn images, enough to learn from."""
import json
import pathlib
import subprocess
import sys
import tempfile

LOCKSTEP = sys.argv[1]
SCRATCH = tempfile.TemporaryDirectory()
FOLDER = pathlib.Path(SCRATCH.name)
IMAGES = FOLDER / "images"


def run(*arguments, status=0):
    """What lockstep says, to both streams."""
    done = subprocess.run([LOCKSTEP, *map(str, arguments)], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def read(name):
    return json.loads((FOLDER / name).read_text())


def small_network(*kinds):
    """The file of a network: a convolution, layers of these kinds, a pooling and a dense layer."""
    network = FOLDER / "network.json"
    network.write_text(json.dumps({
        "name": "small", "input": {"height": 16, "width": 16, "channels": 3}, "classes": 2,
        "layers": [{"kind": "convolution", "channels": 4, "kernel": 3},
                   *({"kind": kind} for kind in kinds),
                   {"kind": "max-pool", "kernel": 2}, {"kind": "dense", "features": 2}]}))
    return network


run("data", "make", "--out", IMAGES, "--images", 96, "--size", 40, "--seed", 1)
