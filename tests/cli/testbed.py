#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains in testbeds: the stored topology is what was built, link rates bound the time, nothing is
left whatever ends a run, and wrong input is told. Skips (status 77) where there are no testbeds.

usage: testbed.py LOCKSTEP"""
import glob
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

LOCKSTEP = sys.argv[1]
PARAMETERS = 44426  # of lenet5
EFFICIENCY = 1448 / 1514  # of TCP with time stamps, as the kernel's shaper counts


def run(arguments, **options):
    return subprocess.run([LOCKSTEP, *arguments], capture_output=True, text=True, timeout=120,
                          **options)


def train(ranks, iterations, *more):
    return ["--", "lockstep", "train", "--network", "lenet5", "--batch", "24", "--ranks",
            str(ranks), "--iterations", str(iterations), "--timeout", "10", *more]


def star(name, hosts, rates):
    """`rates`: of each host's cable."""
    return {"name": name, "hosts": hosts, "switches": ["switch"],
            "links": [{"from": host if isinstance(host, str) else host["name"], "to": "switch",
                       "bandwidth": rate, "latency": "0 us"} for host, rate in zip(hosts, rates)]}


TOPOLOGIES = {
    # Two ranks on each host, whose neighbours are elsewhere: each link carries for two.
    "star": (star("star", list("abc"), 3 * ["20 Mbit/s"]), 20e6 / 2),
    "unequal": (star("unequal", ["fast", {"name": "slow", "speed": 0.5}, "third"],
                     ["40 Mbit/s", "40 Mbit/s", "10 Mbit/s"]), 10e6),
    "two_racks": ({"name": "two_racks", "generate": {"two-tier": {
        "racks": 2, "hosts_per_rack": 2, "bandwidth": "40 Mbit/s", "latency": "0 us",
        "backbone": {"bandwidth": "10 Mbit/s"}}}}, 10e6),
    "ring": ({"name": "ring", "generate": {"ring": {
        "hosts": 4, "bandwidth": "20 Mbit/s", "latency": "0 us"}}}, 20e6)}


def trained(root, name):
    """A ring all-reduce takes as long as its slowest link needs for what a rank sends."""
    topology, slowest = TOPOLOGIES[name]
    path, out, scaled = (os.path.join(root, f"{name}{end}.json")
                         for end in ("", "_measured", "_scaled"))
    with open(path, "w") as file:
        json.dump(topology, file)
    ranks = {"star": 6, "unequal": 3}.get(name, 4)
    done = run(["testbed", path, "--scaled", scaled, "--tolerance", "20%",
                *train(ranks, 12, "--placement", "scattered", "--out", out)])
    if done.returncode != 0:
        return [f"status {done.returncode}: {done.stderr.strip()}"]
    with open(out) as file:
        result = json.load(file)
    with open(scaled) as file:
        built = json.load(file)
    faults = []
    if result["topology"] != built:
        faults.append("the result holds another topology than was built")
    cores = [host["cores"] for host in built["hosts"]]
    if not 0.79 < sum(cores) / os.cpu_count() < 0.81:
        faults.append(f"hosts get {sum(cores)} processors")
    if name == "unequal" and abs(cores[1] / cores[0] - 0.5) > 1e-6:
        faults.append(f"half a speed is {cores[1]} of {cores[0]} processors")
    hosts = [rank["host"] for rank in result["ranks"]]
    names = [host["name"] for host in built["hosts"]]
    if hosts != [names[rank % len(names)] for rank in range(ranks)]:
        faults.append(f"ranks were on {hosts}")
    # Each rank sends 2(p-1)/p times the gradients over its links, from 2 to 4 % of it headers of
    # the messages; what a bucket gives away, 72 kB once, is in the first iterations.
    sent = result["summary"]["bytes_sent_per_rank"]
    bound = 8 * sent / slowest / EFFICIENCY
    measured = result["summary"]["iteration_seconds"]["mean"]
    if not bound * 0.97 < measured < bound * 2:
        faults.append(f"an iteration took {measured:.4f} s, the links need {bound:.4f} s")
    return faults


def leftovers():
    """Groups of testbeds of this test; what others of the machine hold or lose is theirs."""
    return set(groups()) - OTHERS


def groups():
    return (glob.glob("/sys/fs/cgroup/cpu/lockstep-testbed-*") +
            glob.glob("/sys/fs/cgroup/lockstep-testbed-*"))


OTHERS = set(groups())


def processes():
    """Of this program: pid → command line."""
    found = {}
    for path in glob.glob("/proc/[0-9]*"):
        try:
            if os.path.realpath(path + "/exe") == os.path.realpath(LOCKSTEP):
                with open(path + "/cmdline") as file:
                    found[int(path[6:])] = file.read().replace("\0", " ")
        except OSError:
            pass
    return found


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def running_job(path):
    """A testbed whose ranks have begun to train."""
    before = set(processes())
    testbed = subprocess.Popen([LOCKSTEP, "testbed", path, "--tolerance", "50%",
                                *train(3, 1000000)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
    is_there = lambda: sum("--rank " in line for pid, line in processes().items()
                           if pid not in before) == 3
    if not wait_until(is_there, 30):
        testbed.kill()
        raise RuntimeError("the ranks did not start: " + testbed.communicate()[1])
    time.sleep(1)
    return testbed, before


def ended_by(path, end, status):
    testbed, before = running_job(path)
    end(testbed)
    testbed.wait(timeout=20)
    is_clean = lambda: not leftovers() and not set(processes()) - before
    faults = []
    if not wait_until(is_clean, 10):
        faults.append(f"left: {leftovers()}, "
                      f"{ {p: c for p, c in processes().items() if p not in before} }")
    if testbed.returncode != status:
        faults.append(f"status {testbed.returncode}, expected {status}")
    testbed.communicate()
    return faults


def kill_sweeper_too(testbed):
    """The one process that would clean up after the testbed."""
    with open(f"/proc/{testbed.pid}/task/{testbed.pid}/children") as file:
        for child in file.read().split():
            with open(f"/proc/{child}/comm") as name:
                if name.read().strip() == "lockstep-sweep":
                    os.kill(int(child), signal.SIGKILL)
    testbed.kill()


def swept_later(path):
    testbed, before = running_job(path)
    kill_sweeper_too(testbed)
    testbed.communicate()
    faults = []
    if not wait_until(lambda: not set(processes()) - before, 10):
        faults.append(f"ranks outlive the testbed: {set(processes()) - before}")
    if not leftovers():
        faults.append("nothing was left to be cleaned")
    cleaned = run(["testbed", "clean"])
    if cleaned.returncode != 0 or "removed " not in cleaned.stdout or leftovers():
        faults.append(f"clean said {cleaned.stdout!r} and left {leftovers()}")
    return faults


def interrupts(path):
    def control_c(testbed):  # as a terminal does: to the whole group
        os.killpg(testbed.pid, signal.SIGINT)

    faults = []
    for name, end, status in (
            ("Ctrl-C", control_c, 130),
            ("SIGTERM", lambda testbed: testbed.terminate(), 143),
            ("SIGKILL", lambda testbed: testbed.kill(), -signal.SIGKILL)):
        faults += [f"{name}: {fault}" for fault in ended_by(path, end, status)]
    return faults + [f"SIGKILL twice: {fault}" for fault in swept_later(path)]


def lost_rank(path):
    """A rank that dies ends the job with 3, as anywhere, and the testbed with it."""
    def kill_one(testbed):
        ranks = [pid for pid, line in processes().items() if "--rank 1 " in line]
        os.kill(ranks[0], signal.SIGKILL)

    return ended_by(path, kill_one, 3)


def bad_input(root, path):
    many = os.path.join(root, "many.json")
    with open(many, "w") as file:
        json.dump({"name": "many", "generate": {"star": {
            "hosts": 100 * os.cpu_count(), "bandwidth": "1 Mbit/s", "latency": "0 us"}}}, file)
    split = os.path.join(root, "split.json")
    with open(split, "w") as file:
        json.dump({"name": "split", "routing": "split", "generate": {"leaf-spine": {
            "leaves": 2, "spines": 2, "hosts_per_leaf": 1, "bandwidth": "1 Mbit/s",
            "latency": "0 us"}}}, file)
    command = train(2, 1)
    cases = [([], ["expected a topology"]),
             (["nothing.json", *command], ["nothing.json"]),
             ([path], ["expected a command"]),
             ([path, "--"], ["lockstep train"]),
             ([path, "--", "sleep", "1"], ["lockstep train", "sleep 1"]),
             ([path, "--", "lockstep", "simulate"], ["lockstep simulate"]),
             ([path, "--scald", "x", *command], ["--scald", "--scaled"]),
             ([path, "--processors", "120%", *command], ["--processors"]),
             ([path, "--bandwidth-factor", "0", *command], ["--bandwidth-factor"]),
             ([path, "--scaled", os.path.join(root, "no/x"), *command], ["--scaled"]),
             ([path, *command, "--topology", path], ["--topology"]),
             ([path, *command, "--rank", "1"], ["--rank"]),
             ([path, *command, "--bacth", "1"], ["--bacth", "--batch"]),
             ([path, "--bandwidth-factor", "100000", *command], ["link ", "carries", "expected"]),
             ([many, *command], ["many.json", "too many"]),
             ([split, *command], ["split.json", "split"]),
             (["check", "x"], ["check"])]
    faults = []
    for arguments, words in cases:
        done = run(["testbed", *arguments])
        if done.returncode != 2 or any(word not in done.stderr for word in words):
            faults.append(f"{arguments}: status {done.returncode}, {done.stderr.strip()!r}")
    machine, out = os.path.join(root, "machine.json"), os.path.join(root, "out.json")
    with open(machine, "w") as file:
        json.dump({"schema": "lockstep.machine/1", "name": "paper", "origin": "datasheet",
                   "cores": 2, "flops_per_core": "100 GFLOP/s", "memory_bandwidth": "20 GB/s",
                   "loopback_bandwidth": "2 GB/s", "combine_per_byte": "0.1 ns",
                   "message": {"send_overhead": "5 us", "receive_overhead": "5 us",
                               "send_core_per_byte": "0.3 ns", "receive_core_per_byte": "0.2 ns",
                               "latency": "20 us", "window": "1 MiB"}}, file)
    for arguments in (["testbed", path, *command],
                      ["calibrate", "--between-hosts", machine, "--out", out]):
        nobody = run(arguments, user=65534, group=65534, extra_groups=[])
        if nobody.returncode != 2 or "privileges of root" not in nobody.stderr:
            faults.append(f"{arguments[0]} without privilege: status {nobody.returncode}, "
                          f"{nobody.stderr!r}")
    nothing = run(["calibrate", "--between-hosts", "nothing.json", "--out", out])
    if nothing.returncode != 2 or "nothing.json" not in nothing.stderr or os.path.exists(out):
        faults.append(f"no machine file: status {nothing.returncode}, {nothing.stderr!r}")
    return faults


def main():
    check = run(["testbed", "check"])
    if check.returncode != 0:
        print("skipped: no testbeds here:", check.stdout, check.stderr)
        return 77
    failed = 0
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o755)  # also for nobody
        tests = [(name, lambda name=name: trained(root, name)) for name in TOPOLOGIES]
        path = os.path.join(root, "star.json")
        tests += [("interrupts", lambda: interrupts(path)), ("a lost rank", lambda: lost_rank(path)),
                  ("bad input", lambda: bad_input(root, path))]
        for name, test in tests:
            began = time.monotonic()
            faults = test()
            print(f"{name} ({time.monotonic() - began:.1f} s): "
                  f"{'fine' if not faults else '; '.join(faults)}", flush=True)
            failed += bool(faults)
    if leftovers():
        print("left:", leftovers())
        failed += 1
    return 1 if failed else 0


sys.exit(main())
