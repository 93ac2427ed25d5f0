#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills and freezes ranks of a running job: every survivor must end in time, say who was lost, and
with status 3; a stranger at the port changes nothing.

usage: lost_ranks.py LOCKSTEP"""
import os
import re
import signal
import socket
import subprocess
import sys
import time

LOCKSTEP = sys.argv[1]
TIMEOUT = 2.0
RANKS = 3


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Job:
    """One rank per process, found through a rendezvous, training until it is told to end."""

    def __init__(self, iterations=100000):
        self.port = free_port()
        self.processes = [subprocess.Popen(
            [LOCKSTEP, "train", "--network", "lenet5", "--batch", "48", "--rank", str(rank),
             "--ranks", str(RANKS), "--rendezvous", f"127.0.0.1:{self.port}",
             "--iterations", str(iterations), "--timeout", str(TIMEOUT)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for rank in range(RANKS)]

    def wait_until_training(self):
        """All ranks hold an established connection to another rank for a while."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            threads = [len(os.listdir(f"/proc/{p.pid}/task")) for p in self.processes]
            busy = [float(open(f"/proc/{p.pid}/stat").read().rsplit(")", 1)[1].split()[11])
                    for p in self.processes]
            if min(threads) > 1 and min(busy) > 30:  # 0.3 s of computing each
                return
            time.sleep(0.05)
        raise RuntimeError("the job did not start: " + str([p.poll() for p in self.processes]))

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.communicate()


def survivors_end(job, lost, started, words, limit):
    faults = []
    for rank, process in enumerate(job.processes):
        if rank == lost:
            continue
        try:
            _, error = process.communicate(timeout=max(0.1, started + limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            faults.append(f"rank {rank} still runs {limit} s after rank {lost} was lost")
            continue
        if process.returncode != 3:
            faults.append(f"rank {rank} ended with status {process.returncode}, expected 3")
        pattern = rf"lost rank {lost} \(host [^,]+, pid {job.processes[lost].pid}\): .*{words}.*"
        if not re.search(pattern + r"; iteration \d+", error):
            faults.append(f"rank {rank} said: {error.strip()!r}")
    return faults


def lose(signal_number, lost, words):
    job = Job()
    try:
        job.wait_until_training()
        job.processes[lost].send_signal(signal_number)
        # Frozen: noticed after the timeout. Killed: at once. Either way within 5 s.
        return survivors_end(job, lost, time.monotonic(), words, 5.0)
    finally:
        job.end()


def strangers():
    job = Job(iterations=60)
    faults = []
    try:
        deadline = time.monotonic() + 20
        sent = 0
        while sent < 3 and time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", job.port), timeout=1) as stranger:
                    stranger.sendall(os.urandom(4096))
                    sent += 1
            except OSError:
                time.sleep(0.01)
        for rank, process in enumerate(job.processes):
            _, error = process.communicate(timeout=60)
            if process.returncode != 0:
                faults.append(f"rank {rank} ended with {process.returncode}: {error.strip()!r}")
    finally:
        job.end()
    return faults


def local_ranks_end_together():
    """Started by the launcher: when one local rank is killed, the others and it end with 3."""
    launcher = subprocess.Popen(
        [LOCKSTEP, "train", "--network", "lenet5", "--batch", "48", "--ranks", str(RANKS),
         "--iterations", "100000", "--timeout", str(TIMEOUT)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(3)
        with open(f"/proc/{launcher.pid}/task/{launcher.pid}/children") as file:
            children = file.read().split()
        if len(children) != RANKS:
            return [f"the launcher has {len(children)} children"]
        os.kill(int(children[1]), signal.SIGKILL)
        _, error = launcher.communicate(timeout=TIMEOUT + 5)
        alive = [pid for pid in children if os.path.exists(f"/proc/{pid}")]
        faults = [f"still alive: {alive}"] if alive else []
        if launcher.returncode != 3:
            faults.append(f"status {launcher.returncode}: {error!r}")
        return faults
    finally:
        if launcher.poll() is None:
            launcher.kill()


def main():
    tests = [("a killed rank", lambda: lose(signal.SIGKILL, 2, "")),
             ("rank 0 killed", lambda: lose(signal.SIGKILL, 0, "")),
             ("a frozen rank", lambda: lose(signal.SIGSTOP, 1, "no heartbeat for 2 s")),
             ("rank 0 frozen", lambda: lose(signal.SIGSTOP, 0, "no heartbeat for 2 s")),
             ("strangers", strangers),
             ("local ranks", local_ranks_end_together)]
    failed = 0
    for name, test in tests:
        faults = test()
        print(f"{name}: {'fine' if not faults else '; '.join(faults)}", flush=True)
        failed += bool(faults)
    return 1 if failed else 0


sys.exit(main())
