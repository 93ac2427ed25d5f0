#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""simulate --conditions: what disturbs a job costs what it should, is in the result, and can be swept.

usage: conditions.py LOCKSTEP REPOSITORY"""
import json
import os
import subprocess
import sys
import tempfile

from paper_machine import MACHINE

LOCKSTEP, REPOSITORY = sys.argv[1:3]
FAULTS = []


def check(condition, text):
    if not condition:
        FAULTS.append(text)


def near(value, expected, relative):
    return abs(value - expected) <= relative * abs(expected)


class Folder:
    def __init__(self, root):
        self.root = root
        self.machine = self.write("machine.json", MACHINE)

    def path(self, name):
        return os.path.join(self.root, name)

    def write(self, name, content):
        with open(self.path(name), "w") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        return self.path(name)

    def simulate(self, conditions, *more, status=0):
        flags = [] if conditions is None else ["--conditions",
                                               self.write("conditions.json", conditions)]
        for flag, value in (("--ranks", "4"), ("--topology", "star_8_1gbit")):
            more = more if flag in more else (flag, value, *more)
        done = subprocess.run(
            [LOCKSTEP, "simulate", "--network", "lenet5", "--batch", "64", "--overlap", "off",
             "--machine", self.machine, "--out", self.path("result.json"), *flags, *more],
            capture_output=True, text=True, timeout=120)
        check(done.returncode == status, f"{conditions}: status {done.returncode}: {done.stderr}")
        if status:
            return done.stderr
        with open(self.path("result.json")) as file:
            result = json.load(file)
        check(result.get("conditions", {}) == (conditions or {}) or isinstance(conditions, str),
              f"the result has its conditions: {result.get('conditions')}")
        for condition in ["failure"] if "failure" in (conditions or {}) else []:
            check(condition in done.stdout, f"{condition} is told: {done.stdout}")
        return result


def iteration(result):
    return result["summary"]["iteration_seconds"]["mean"]


def check_slow(folder):
    quiet = folder.simulate(None)
    compute = quiet["ranks"][2]["compute_seconds"]
    slow = folder.simulate({"stragglers": [{"rank": 2, "factor": 3.0}]})
    check(near(slow["ranks"][2]["compute_seconds"], 3 * compute, 0.01), "rank 2 takes 3 times as long")
    check(near(slow["ranks"][1]["compute_seconds"], compute, 0.01), "the others don't")
    # Without overlap the all-reduce comes after it. The others are a little ahead meanwhile.
    check(compute < iteration(slow) - iteration(quiet) < 2.1 * compute, "all wait for it")
    shared = folder.simulate({"traffic": [{"link": "all", "share": 0.5}]})
    check(iteration(shared) > iteration(quiet), "traffic of others costs time")
    uneven = folder.simulate({"batches": [1, 1, 1, 61]})
    check([rank["batch"] for rank in uneven["ranks"]] == [1, 1, 1, 61], "images of each rank")
    check(uneven["ranks"][3]["compute_seconds"] > 3 * compute, "most images take longest")
    jitter = folder.simulate({"compute_jitter": 0.2})
    check(iteration(jitter) > iteration(quiet), "with jitter all wait for the slowest")
    check(folder.simulate({"compute_jitter": 0.2})["summary"] == jitter["summary"], "the same again")
    check(folder.simulate({"compute_jitter": 0.2}, "--seed", "2")["summary"] != jitter["summary"],
          "another seed, another result")
    return quiet


def check_reroute(folder):
    """Two ranks of a ring of hosts next to each other: without their link the messages of one take
    seven links instead of one, no narrower, with seven latencies."""
    on_ring = ("--ranks", "2", "--topology", "ring_8_10gbit")
    quiet = folder.simulate(None, *on_ring)
    seconds = iteration(quiet)
    failure = {"link": "host0->host1", "at": f"{10.5 * seconds} s", "then": "reroute",
               "detection": "0.25 s"}
    figures = folder.simulate({"failure": failure}, *on_ring)["failure"]
    check(figures["ranks_after"] == 2 and figures["iteration_seconds_after"] > seconds and
          0.25 - seconds <= figures["lost_seconds"] <= 0.25 + seconds, f"reroute: {figures}")
    at_once = folder.simulate({"failure": {**failure, "at": "0.0 s", "detection": "0.0 s"}}, *on_ring)
    check(iteration(at_once) == figures["iteration_seconds_after"] and
          at_once["failure"]["lost_seconds"] == 0, f"lost from the beginning: {at_once['failure']}")
    lost = {link["name"]: link["bytes"] for link in at_once["links"]}
    check(lost["host0->host1"] == 0 < lost["host0->host7"], f"the other way round: {lost}")
    check("no other way" in folder.simulate({"failure": {**failure, "link": "host1->switch"}}, status=2),
          "a star has no other way")


def check_failures(folder, quiet):
    seconds = iteration(quiet)
    failure = {"rank": 1, "at": f"{10.5 * seconds} s", "then": "abort", "detection": "2.0 s"}
    figures = folder.simulate({"failure": failure})["failure"]
    check(figures["iterations_before"] == 10 and figures["iteration_seconds_after"] is None and
          near(figures["lost_seconds"], 2 + seconds / 2, 1e-6), f"abort: {figures}")
    failure.update({"then": "shrink", "restart": "3.0 s"})
    figures = folder.simulate({"failure": failure})["failure"]
    three = folder.simulate(None, "--ranks", "3")
    check(figures["ranks_after"] == 3 and near(figures["lost_seconds"], 5 + seconds / 2, 1e-6) and
          near(figures["iteration_seconds_after"], iteration(three), 1e-9), f"shrink: {figures}")
    for what in ({"rank": 1}, {"link": "host1->switch"}):
        failure = {**what, "at": f"{10.5 * seconds} s", "then": "wait", "lasts": "4.0 s"}
        figures = folder.simulate({"failure": failure})["failure"]
        # Somebody has some of the iteration to do meanwhile.
        check(4 - seconds <= figures["lost_seconds"] <= 4 + 1e-6 and
              near(figures["iteration_seconds_after"], seconds, 1e-9), f"wait: {figures}")
    check_reroute(folder)
    failure["link"] = "host7->switch"  # nobody is there
    check(folder.simulate({"failure": failure})["failure"]["lost_seconds"] == 0, "an unused link")
    check("means nothing" in folder.simulate({"failure": {**failure, "restart": "1.0 s"}}, status=2),
          "a restart after waiting")
    check("--fidelity flow" in folder.simulate({"failure": failure}, "--fidelity", "ideal", status=2),
          "ideal networks have no failures")
    check("host7->swith" in folder.simulate({"traffic": [{"link": "host7->swith", "share": 0.5}]},
                                            status=2), "an unknown link")


def check_jobs(folder):
    """Jobs that share a cable each lose by it; on cables of their own neither does."""
    lenet = {"network": "lenet5", "ranks": 4, "batch": 64, "overlap": False}

    def jobs_on(topology, placement, *others, status=0):
        with open(folder.path("hosts.json"), "w") as file:
            json.dump(placement, file)
        conditions = {"jobs": [{"job": {**lenet, "placement": hosts}} for hosts in others]}
        done = subprocess.run(
            [LOCKSTEP, "simulate", "--network", "lenet5", "--batch", "64", "--ranks", "4",
             "--topology", topology, "--overlap", "off", "--machine", folder.machine,
             "--placement", folder.path("hosts.json"), "--conditions",
             folder.write("conditions.json", conditions), "--out", folder.path("jobs.json")],
            capture_output=True, text=True, timeout=120)
        check(done.returncode == status, f"{others}: status {done.returncode}: {done.stderr}")
        if status:
            return done.stderr
        check("alone" in done.stdout, f"the jobs are told: {done.stdout}")
        with open(folder.path("jobs.json")) as file:
            return json.load(file)["jobs"]

    near_hosts, far_hosts = [f"host{i}" for i in range(4)], [f"host{i}" for i in range(4, 8)]
    for job in jobs_on("star_8_1gbit", near_hosts, far_hosts):
        check(job["iteration_seconds"] == job["alone_seconds"], f"nothing in common: {job}")
    # Of two racks with one cable between them, each job has half of each.
    across = [f"rack{rack}-host{i}" for rack in (0, 1) for i in (0, 1)]
    others = [f"rack{rack}-host{i}" for rack in (0, 1) for i in (2, 3)]
    shared = jobs_on("two_racks_oversubscribed", across, others)
    check(len(shared) == 2 and all(job["iteration_seconds"] > 1.02 * job["alone_seconds"]
                                   for job in shared), f"each loses: {shared}")
    left = jobs_on("two_racks_oversubscribed", across, "packed")
    check(left == shared, f"packed means the hosts that are left: {left}")
    with open(folder.path("jobs.json")) as file:
        result = json.load(file)
    subprocess.run([LOCKSTEP, "simulate", "--job", folder.path("jobs.json"), "--conditions",
                    folder.path("jobs.json"), "--machine", folder.machine, "--out",
                    folder.path("again.json")], check=True, capture_output=True)
    with open(folder.path("again.json")) as file:
        again = json.load(file)
    check(again["summary"] == result["summary"] and again["jobs"] == result["jobs"] and
          again["conditions"] == result["conditions"], "the same jobs again")
    done = subprocess.run([sys.executable, os.path.join(REPOSITORY, "tests/cli/validate_schema.py"),
                           os.path.join(REPOSITORY, "models/results/result.schema.json"),
                           folder.path("jobs.json")], capture_output=True, text=True, timeout=60)
    check(done.returncode == 0, f"the schema: {done.stdout}{done.stderr}")
    check("host \"host3\" has ranks of another job" in
          jobs_on("star_8_1gbit", near_hosts, ["host3", *far_hosts[1:]], status=2), "one host for two")
    check("have left no host" in jobs_on("star_8_1gbit", near_hosts, far_hosts, "packed", status=2),
          "no host is left")
    small = {**lenet, "ranks": 1}
    for wrong in ({"batch": 2, "ranks": 3}, {"network": "lenet6"}, {"placement": ["host9"]},
                  {"compression": "qsgd:4", "algorithm": "pairwise-exchang"},
                  {"learning_rate": -1}):
        text = folder.simulate({"jobs": [{"job": small}, {"job": {**small, **wrong}}]}, status=2)
        check("conditions.json: /jobs/1/job: " in text, f"which job {wrong} is of: {text}")


def check_schema(folder):
    """With everything in it that a prediction under conditions has."""
    folder.simulate({
        "compute_jitter": 0.1, "stragglers": [{"rank": 1, "factor": 2.0}],
        "traffic": [{"link": "host0->switch", "share": 0.25, "on": "0.001 s", "off": "0.002 s"}],
        "failure": {"rank": 2, "at": "3.0 s", "then": "shrink", "detection": "1.0 s",
                    "restart": "0.0 s"}}, "--explain-time")
    done = subprocess.run([sys.executable, os.path.join(REPOSITORY, "tests/cli/validate_schema.py"),
                           os.path.join(REPOSITORY, "models/results/result.schema.json"),
                           folder.path("result.json")], capture_output=True, text=True, timeout=60)
    check(done.returncode == 0, f"the schema: {done.stdout}{done.stderr}")


def check_repeats(folder):
    """A result can be given to --job and --conditions, and repeats itself."""
    first = folder.simulate({"stragglers": [{"factor": 2.0, "probability": 0.1}]})
    with open(folder.path("first.json"), "w") as file:
        json.dump(first, file)
    subprocess.run([LOCKSTEP, "simulate", "--job", folder.path("first.json"), "--conditions",
                    folder.path("first.json"), "--machine", folder.machine, "--out",
                    folder.path("again.json")], check=True, capture_output=True)
    with open(folder.path("again.json")) as file:
        check(json.load(file)["summary"] == first["summary"], "the same again")


def check_sweep(folder, quiet):
    sweep = folder.write("sweep.json", {
        "job": {"network": "lenet5", "batch": 64, "ranks": 4, "topology": "star_8_1gbit",
                "overlap": False},
        "conditions": {"stragglers": [{"rank": 2, "factor": 1}],
                       "failure": {"rank": 1, "at": "1 s", "then": "abort", "detection": "1 s"}},
        "grid": {"conditions/stragglers/0/factor": [1, 2, -1]}})
    subprocess.run([LOCKSTEP, "sweep", sweep, "--machine", folder.machine, "--out",
                    folder.path("sweep.jsonl")], check=True, capture_output=True)
    with open(folder.path("sweep.jsonl")) as file:
        one, two, wrong = [json.loads(line) for line in file][1:]
    summary = dict(quiet["summary"])
    summary.pop("interval_90")
    check(one["summary"] == summary, "a factor of 1 changes nothing")
    check(two["summary"]["iteration_seconds"]["mean"] > iteration(quiet), "a factor of 2 does")
    check(one["failure"]["iterations_before"] == int(1 / iteration(quiet)), "failures are there")
    check("factor" in wrong["error"], f"a wrong factor is an error: {wrong}")


def main():
    with tempfile.TemporaryDirectory() as root:
        folder = Folder(root)
        quiet = check_slow(folder)
        check_failures(folder, quiet)
        check_jobs(folder)
        check_schema(folder)
        check_repeats(folder)
        check_sweep(folder, quiet)
    print("\n".join(FAULTS) if FAULTS else "conditions do what they should")
    return 1 if FAULTS else 0


sys.exit(main())
