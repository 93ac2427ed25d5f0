#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains with two ranks in two network namespaces joined by a cable: a job over two machines.
Skips (status 77) where namespaces cannot be made.

usage: two_hosts.py LOCKSTEP"""
import json
import os
import subprocess
import sys
import tempfile

LOCKSTEP = sys.argv[1]
NAMES = [f"lockstep-{os.getpid()}-{host}" for host in "ab"]


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True)


def make_hosts():
    for name in NAMES:
        ip("netns", "add", name)
    ip("link", "add", "eth0", "netns", NAMES[0], "type", "veth", "peer", "name", "eth0", "netns",
       NAMES[1])
    for number, name in enumerate(NAMES, 1):
        ip("-n", name, "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", name, "link", "set", "lo", "up")


def rank(number, out, secret):
    return subprocess.Popen(
        ["ip", "netns", "exec", NAMES[number], LOCKSTEP, "train", "--network", "lenet5",
         "--batch", "64", "--iterations", "30", "--rank", str(number), "--ranks", "2",
         "--rendezvous", "10.77.0.1:4711", "--secret-file", secret, "--timeout", "10",
         *(["--out", out] if number == 0 else [])],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def main():
    try:
        make_hosts()
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        print("skipped: network namespaces cannot be made here:",
              getattr(error, "stderr", error))
        return 77
    with tempfile.TemporaryDirectory() as root:
        secret = os.path.join(root, "secret")
        with open(secret, "w") as file:
            file.write("only for this test\n")
        os.chmod(secret, 0o600)
        out = os.path.join(root, "measured.json")
        ranks = [rank(number, out, secret) for number in range(2)]
        status = []
        for process in ranks:
            _, error = process.communicate(timeout=60)
            status.append(process.returncode)
            if process.returncode != 0:
                print(error)
        if status != [0, 0]:
            print("status", status)
            return 1
        with open(out) as file:
            result = json.load(file)
        sent = result["summary"]["bytes_sent_per_rank"]
        # Two ranks: each sends 2(p-1)/p = 1 times the gradients, 44,426 floats.
        if sent != 4 * 44426:
            print("bytes sent per rank", sent)
            return 1
    print("two hosts: fine")
    return 0


try:
    status = main()
finally:
    for name in NAMES:
        ip("netns", "delete", name, check=False)
sys.exit(status)
