#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A table of wrong inputs: each must end with the right status, a clear line, and nothing written.

usage: bad_input.py LOCKSTEP REPOSITORY"""
import gzip
import json
import os
import struct
import subprocess
import sys
import tempfile

LOCKSTEP, REPOSITORY = sys.argv[1:3]
FASHION = "/usr/share/datasets/fashion-mnist"


def write(path, content):
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return path


def idx_images(count, height, width):
    return struct.pack(">4I", 0x803, count, height, width) + bytes(count * height * width)


def idx_labels(count, label=0):
    return struct.pack(">2I", 0x801, count) + bytes([label]) * count


def data_folder(root, name, files):
    folder = os.path.join(root, name)
    os.mkdir(folder)
    for file, content in files.items():
        write(os.path.join(folder, file), content)
    return folder


def network(**changes):
    """lenet5's file with one fault."""
    with open(os.path.join(REPOSITORY, "models/network/zoo/lenet5.json")) as file:
        data = json.load(file)
    data.update(changes)
    return data


def cases(root):
    def path(name):
        return os.path.join(root, name)

    machine = write(path("machine.json"), json.dumps({
        "schema": "lockstep.machine/1", "name": "paper", "origin": "datasheet", "cores": 2,
        "flops_per_core": "100 GFLOP/s", "memory_bandwidth": "20 GB/s",
        "loopback_bandwidth": "2 GB/s", "combine_per_byte": "0.1 ns",
        "message": {"send_overhead": "5 us", "receive_overhead": "5 us",
                    "send_core_per_byte": "0.3 ns", "receive_core_per_byte": "0.2 ns",
                    "latency": "20 us", "window": "1 MiB"}}))
    full = {"train-images-idx3-ubyte": idx_images(100, 28, 28),
            "train-labels-idx1-ubyte": idx_labels(100),
            "t10k-images-idx3-ubyte": idx_images(10, 28, 28),
            "t10k-labels-idx1-ubyte": idx_labels(10)}
    simulate = ["simulate", "--machine", machine, "--out", path("result.json")]
    train = ["train", "--network", "lenet5", "--iterations", "2", "--out", path("result.json")]

    # --- the command line
    yield ["simulat"], 2, ['unknown subcommand "simulat"', "simulate"]
    yield [], 2, []
    yield ["simulate", "--bacth", "64"], 2, ["--bacth", "did you mean --batch?"]
    yield ["train", "--rank"], 2, ["--rank"]
    yield ["simulate", "--batch"], 2, ["--batch"]
    yield ["compare", path("nothing.json")], 2, ["at least two"]
    yield simulate + ["--batch", "many"], 2, ["--batch", '"many"']
    yield simulate + ["--batch", "-3"], 2, ["--batch"]
    yield simulate + ["--ranks", "0"], 2, ["--ranks"]
    yield simulate + ["--ranks", "8", "--batch", "4"], 2, ["--batch", "8 ranks"]
    yield train + ["--ranks", "8", "--batch", "4"], 2, ["--batch", "8 ranks"]
    yield ["train", "--iterations", "0"], 2, ["--iterations", "at least 1"]
    yield ["train", "--iterations", "1", "--trace", path("nowhere/t.json")], 2, ["--trace"]
    yield simulate + ["--epochs", "1", "--iterations", "9"], 2, ["--epochs"]
    yield simulate + ["--batch", "64", "--batch-per-rank", "8"], 2, ["--batch-per-rank"]
    yield simulate + ["--algorithm", "rnig"], 2, ["--algorithm", '"ring"']
    yield simulate + ["--algorithm", "double-tree", "--buckets-in-flight", "129"], 2, [
        "--buckets-in-flight", "at most 128"]
    yield simulate + ["--group-by", "0"], 2, ["--group-by", "is 0"]
    yield simulate + ["--group-by", "hots"], 2, ["--group-by", "host, rack"]
    yield simulate + ["--algorithm", "parameter-server", "--servers", "2"], 2, ["--servers", "1 rank"]
    yield simulate + ["--bucket-bytes", "1 MeB"], 2, ["--bucket-bytes", "unknown unit"]
    yield simulate + ["--learning-rate", "nan"], 2, ["--learning-rate"]
    yield simulate + ["--network", "fashion-cn"], 2, ["fashion-cnn"]
    yield simulate + ["--topology", "one_hots"], 2, ["one_host"]
    yield ["simulate"], 2, ["machine"]
    yield ["simulate", "--machine", path("nothing.json")], 2, ["nothing.json"]

    # --- schedules
    ring = ["--algorithm", "ring", "--ranks", "3", "--count", "9"]
    out = path("result.json")
    yield ["schedule"], 2, []
    yield ["schedule", "prove"], 2, ['"prove"', "--help"]
    yield ["schedule", "verfiy"], 2, ["verify?"]
    yield ["schedule", "verify"], 2, ["--algorithm", "a file"]
    yield ["schedule", "verify", *ring, path("x.json")], 2, ["one of"]
    yield ["schedule", "verify", path("x.json"), path("y.json")], 2, ["at most 1"]
    yield ["schedule", "verify", path("nothing.xml")], 2, ["nothing.xml"]
    yield ["schedule", "verify", path("x.yaml")], 2, ["x.yaml", ".json", ".xml"]
    yield ["schedule", "verify", "--algorithm", "ring", "--ranks", "3"], 2, ["--count"]
    yield ["schedule", "verify", *ring, "--ranks", "3"], 2, ["--ranks"]
    yield ["schedule", "verify", "--algorithm", "rnig", "--ranks", "3", "--count", "9"], 2, ['"ring"']
    yield ["schedule", "verify", *ring, "--collective", "all-togather"], 2, ["all-gather"]
    yield ["schedule", "verify", *ring, "--collective", "broadcast"], 2, ["binomial-tree"]
    yield ["schedule", "verify", *ring, "--root", "1"], 2, ["--root", "broadcast"]
    yield ["schedule", "verify", *ring, "--group-by", "2"], 2, ["--group-by", "hierarchical"]
    yield ["schedule", "verify", *ring, "--servers", "2"], 2, ["--servers", "parameter-server"]
    yield ["schedule", "verify", *ring, "--segment-bytes", "5"], 2, ["--segment-bytes", "multiple"]
    yield ["schedule", "verify", *ring[:4], "--count", "1000000000", "--segment-bytes", "4"], 2, [
        "--segment-bytes", "messages"]
    yield ["schedule", "verify", *ring[:2], "--ranks", "0", "--count", "9"], 2, ["--ranks"]
    yield ["schedule", "verify", *ring[:4], "--count", "-1"], 2, ["--count"]
    yield ["schedule", "verify", *ring[:2], "--ranks", "60000", "--count", "9"], 2, ["steps"]
    yield ["schedule", "show", *ring, "--rank", "3"], 2, ["--rank"]
    yield ["schedule", "show", *ring, "--rank", "1", "--json"], 2, ["--rank", "--json"]
    yield ["schedule", "convert", *ring], 2, ["file to write"]
    yield ["schedule", "convert", path("x.json")], 2, ["IN and OUT"]
    yield ["schedule", "convert", *ring, path("result.jso")], 2, ["result.jso"]
    yield ["schedule", "convert", *ring[:4], out], 2, ["--count"]
    yield ["schedule", "convert", *ring[:4], "--segment-bytes", "64", path("x.xml")], 2, ["--count"]
    yield ["schedule", "convert", *ring, path("no/such/folder/ring.xml")], 2, ["no/such/folder"]
    yield ["schedule", "convert", path("nothing.xml"), out], 2, ["nothing.xml"]
    # An algorithm that needs more thread blocks than MSCCL has.
    yield ["schedule", "convert", "--algorithm", "parameter-server", "--ranks", "200",
           path("result.json.xml")], 2, ["thread block", "216"]
    xml = ('<algo name="x" proto="Simple" nchannels="1" nchunksperloop="1" ngpus="1" '
           'coll="allreduce" inplace="1">\n  <gpu id="0" i_chunks="1" o_chunks="0" %s/>\n</algo>')
    yield ["schedule", "verify", write(path("key.xml"), xml % 's_chnks="0"')], 2, [
        "key.xml:2", "s_chunks"]
    yield ["schedule", "convert", write(path("huge.xml"), xml % 's_chunks="99999999999"'), out], 2, [
        "huge.xml:2", "99999999999"]
    yield ["schedule", "verify", write(path("cut.xml"), xml[:40])], 2, ["cut.xml:1"]
    yield ["schedule", "verify", write(path("empty.xml"), "")], 2, ["empty.xml:1"]
    yield ["schedule", "verify", write(path("bytes.xml"), os.urandom(500))], 2, ["bytes.xml:"]
    yield ["schedule", "verify", write(path("key_.json"), '{"nmae": "x"}')], 2, ["nmae", "name"]
    yield ["schedule", "verify", write(path("none.json"), json.dumps(
        {"name": "x", "ranks": 2, "buffers": [], "fragments": []}))], 2, ["none.json", "buffers"]
    yield ["schedule", "verify", "--job", path("nothing.json")], 2, ["nothing.json"]
    yield ["schedule", "verify", "--job", machine, "--ranks", "2"], 2, ["--ranks"]

    # --- job, network, topology and machine files
    yield simulate + ["--job", write(path("key.json"), '{"btach": 64}')], 2, [
        "key.json", "btach", "batch"]
    yield simulate + ["--job", write(path("cut.json"), '{"batch": 6')], 2, ["cut.json"]
    yield simulate + ["--job", write(path("type.json"), '{"batch": "x"}')], 2, [
        "type.json", "/batch"]
    yield simulate + ["--job", write(path("list.json"), "[]")], 2, ["list.json"]
    yield simulate + ["--job", write(path("bytes.json"), os.urandom(500))], 2, ["bytes.json"]
    wrong = network(input={"height": 4, "width": 4, "channels": 1})
    yield simulate + ["--network", write(path("shape.json"), json.dumps(wrong))], 2, [
        "shape.json", "conv1"]
    yield simulate + ["--network", write(path("empty.json"), json.dumps(network(layers=[])))], 2, [
        "empty.json", "layers"]
    yield simulate + ["--topology", write(path("nohosts.json"), '{"name": "x", "hosts": []}')], 2, [
        "nohosts.json"]
    yield simulate + ["--topology", write(path("unit.json"), json.dumps({
        "name": "x", "hosts": [{"name": "a"}, {"name": "b"}], "switches": ["s"],
        "links": [{"from": "a", "to": "s", "bandwidth": "1", "latency": "1 us"}]}))], 2, [
            "unit.json", "/links/0/bandwidth", "unit"]
    yield simulate + ["--topology", write(path("apart.json"), json.dumps({
        "name": "x", "hosts": [{"name": "a"}, {"name": "b"}], "links": []}))], 2, ["apart.json"]
    yield ["simulate", "--machine", write(path("half.json"), '{"schema": ')], 2, ["half.json"]

    # --- placement, and lockstep topology
    def placed(name, content):
        return simulate + ["--ranks", "2", "--topology", "star_8_1gbit",
                           "--placement", write(path(name), content)]

    yield simulate + ["--placement", "paked"], 2, ["--placement", "packed"]
    yield simulate + ["--placement", path("nothing.json")], 2, ["nothing.json"]
    yield placed("one.json", '["host0"]'), 2, ["--placement", "1 ranks", "expected 2"]
    yield placed("who.json", '["host0", "hots1"]'), 2, ["rank 1", "hots1", "host1"]
    yield placed("map.json", '{"0": "host0"}'), 2, ["map.json", "list"]
    yield ["topology"], 2, []
    yield ["topology", "chek"], 2, ["check"]
    yield ["topology", "check"], 2, ["at least one"]
    yield ["topology", "check", path("nothing.json")], 2, ["nothing.json"]
    yield ["topology", "check", "one_host", "star_8_1gbti"], 2, ["star_8_1gbit"]
    yield ["topology", "check", "one_host", path("unit.json")], 2, [
        "unit.json", "/links/0/bandwidth", "unit"]
    yield ["topology", "check", path("apart.json")], 2, ["apart.json", "/hosts/1", '"b"']
    yield ["topology", "check", write(path("noise.json"), os.urandom(500))], 2, ["noise.json"]
    yield ["topology", "generate"], 2, []
    yield ["topology", "generate", "fat-tre"], 2, ["fat-tree"]
    yield ["topology", "generate", "star"], 2, ["hosts", "missing"]
    star = ["topology", "generate", "star", "--out", path("result.json"), "--hosts"]
    yield star + ["2", "--bandwith", "1 Gbit/s"], 2, ["--bandwidth"]
    yield star + ["2", "--bandwidth", "1000", "--latency", "1 us"], 2, ["/star/bandwidth", "unit"]
    yield star + ["-2", "--bandwidth", "1 Gbit/s", "--latency", "1 us"], 2, ["/star/hosts", "-2"]
    yield star + ["two", "--bandwidth", "1 Gbit/s", "--latency", "1 us"], 2, ["/star/hosts", "two"]
    yield star + ["1e9", "--bandwidth", "1 Gbit/s", "--latency", "1 us"], 2, ["/star/hosts"]
    star += ["2", "--bandwidth", "1 Gbit/s", "--latency", "1 us"]
    yield star + ["--routing", "splitt"], 2, ["--routing", "split"]
    yield star + ["--name", "a->b"], 2, ["--name"]
    yield star + ["--sockets", "2"], 2, ["socket_bandwidth"]
    yield ["topology", "generate", "full-mesh", "--hosts", "99999", "--bandwidth", "1 Gbit/s",
           "--latency", "1 us"], 2, ["full-mesh", "at most"]
    draw = ["topology", "draw", "star_8_1gbit"]
    large = {"name": "x", "generate": {"ring": {"hosts": 1001, "bandwidth": "1 Gbit/s",
                                                "latency": "1 us"}}}
    yield ["topology", "draw", write(path("large.json"), json.dumps(large)),
           "--out", path("result.json")], 2, ["1001 nodes", "at most 1000"]
    yield draw, 2, ["--out"]
    yield ["topology", "draw", "--out", path("result.json")], 2, ["one file"]
    yield draw + ["--out", path("nowhere/t.svg")], 2, ["--out", "nowhere"]
    yield draw + ["--out", path("result.json"), "--result", path("machine.json")], 2, [
        "machine.json"]

    # --- data
    yield train + ["--data", path("nowhere")], 2, ["nowhere"]
    missing = {k: v for k, v in full.items() if k != "train-labels-idx1-ubyte"}
    yield train + ["--data", data_folder(root, "missing", missing)], 2, ["train-labels"]
    yield train + ["--data", data_folder(root, "short", {
        **full, "train-images-idx3-ubyte": full["train-images-idx3-ubyte"][:5000]})], 2, [
            "train-images", "truncated"]
    yield train + ["--data", data_folder(root, "magic", {
        **full, "t10k-images-idx3-ubyte": b"\0\0\x08\x09" + bytes(100)})], 2, ["t10k-images"]
    with open(os.path.join(FASHION, "t10k-images-idx3-ubyte.gz"), "rb") as file:
        cut = file.read()[:100000]
    yield train + ["--data", data_folder(root, "gzip", {
        **full, "train-images-idx3-ubyte.gz": cut,
        "train-images-idx3-ubyte": b""})], 2, ["train-images"]
    yield train + ["--data", data_folder(root, "count", {
        **full, "train-labels-idx1-ubyte": idx_labels(99)})], 2, ["100", "99"]
    yield train + ["--data", data_folder(root, "label", {
        **full, "train-labels-idx1-ubyte": idx_labels(100, 77)})], 2, ["77"]
    yield train + ["--data", data_folder(root, "size", {
        **full, "train-images-idx3-ubyte": idx_images(100, 20, 28)})], 2, ["20"]
    yield train + ["--batch", "2000", "--data", data_folder(root, "few", full)], 2, ["2000"]

    # --- JPEG files
    yield ["data"], 2, ["make or check"]
    yield ["data", "mkae"], 2, ['"mkae"']
    yield ["data", "make", "--images", "4"], 2, ["--out"]
    yield ["data", "make", "--out", path("drawn")], 2, ["--images"]
    yield ["data", "make", "--out", path("drawn"), "--images", "0"], 2, ["--images"]
    yield ["data", "make", "--out", path("drawn"), "--images", "4", "--difficulty", "2"], 2, [
        "--difficulty", "from 0 to 1"]
    yield ["data", "make", "--out", path("drawn"), "--images", "4", "--layout", "flat"], 2, [
        "--layout", "kaggle or folders"]
    yield ["data", "make", "--out", path("few"), "--images", "4"], 2, ["few", "exists already"]
    yield ["data", "make", "--out", path("no/such/folder"), "--images", "4"], 2, ["no/such"]
    yield ["data", "check"], 2, ["one folder"]
    yield ["data", "check", path("nowhere")], 2, ["nowhere"]
    yield ["data", "check", path("few")], 2, ["JPEG"]
    photos = write(path("photos.json"), json.dumps(network(
        input={"height": 28, "width": 28, "channels": 3})))
    jpeg = ["train", "--network", photos, "--iterations", "2", "--out", path("result.json"),
            "--data"]
    yield jpeg + [data_folder(root, "empty", {"readme.txt": b""})], 2, ["neither", "JPEG"]
    yield jpeg + [data_folder(root, "one class", {"cat.0.jpg": b"", "cat.1.jpg": b""})], 2, [
        "only one class", '"cat"']
    yield jpeg + [data_folder(root, "odd", {"cat.0.jpg": b"", "dog.jpg": b""})], 2, [
        "dog.jpg", "cat.0.jpg (class, number)"]
    yield jpeg + [data_folder(root, "two", {"cat.0.jpg": b"", "dog.0.jpg": b""})], 2, [
        "2 classes (cat, dog)", "10"]
    ten = data_folder(root, "ten", {f"{c}.{i}.jpg": b"" for c in "abcdefghij" for i in range(5)})
    few = ["--batch", "2"]
    yield jpeg + [ten, *few], 2, ["none of the 40 training images", "is empty"]
    yield jpeg + [ten, *few, "--strict"], 2, ["is empty"]
    yield jpeg + [ten, *few, "--ranks", "2"], 2, ["none of the 40 training images", "is empty"]
    yield jpeg + [ten, "--batch", "41"], 2, ["40 training images"]
    yield jpeg + [ten, "--test-share", "1.5"], 2, ["--test-share"]
    yield jpeg + [ten, "--augment", "yes"], 2, ["--augment", "on or off"]
    yield jpeg + [ten, *few, "--pixel-mean", "0.5,0.5"], 2, ["--pixel-mean", "3 channels"]
    yield jpeg + [ten, "--pixel-std", "0"], 2, ["--pixel-std"]
    yield jpeg + [ten, "--decode-threads", "-1"], 2, ["--decode-threads"]
    yield jpeg + [ten, *few, "--cache", photos], 2, ["photos.json"]
    yield jpeg + [ten, "--cache-bytes", "lots"], 2, ["--cache-bytes"]

    # --- results
    yield ["compare", write(path("a.json"), "{}"), path("a.json")], 2, ["a.json"]
    yield simulate[:-1] + [path("no/such/folder/result.json")], 2, ["no/such/folder"]

    # --- lockstep bench simulate
    bench = ["bench", "simulate"]
    yield ["bench", "simulat"], 2, ["simulate"]
    yield bench + ["--ranks", "0"], 2, ["--ranks"]
    yield bench + ["--ranks", "-4"], 2, ["--ranks"]
    yield bench + ["--ranks", "4,x"], 2, ["--ranks"]
    yield bench + ["--bytes", "5"], 2, ["--bytes"]
    yield bench + ["--bytes", "5 miles"], 2, ["--bytes"]
    yield bench + ["--algorithm", "rings"], 2, ["--algorithm", "ring"]
    yield bench + ["--topology", "stars"], 2, ["stars"]
    yield bench + ["--bandwidth", "10"], 2, ["bandwidth", "unit"]
    yield bench + ["--latency", "-1 us"], 2, ["latency"]
    yield bench + ["--fidelity", "exact"], 2, ["--fidelity"]

    # --- the network
    yield train[:-2] + ["--rank", "1", "--ranks", "2", "--rendezvous", "127.0.0.1:1",
                   "--timeout", "1"], 3, ["127.0.0.1:1"]
    yield train[:-2] + ["--rank", "1", "--ranks", "2", "--rendezvous", "no-such-host.invalid:9999",
                   "--timeout", "1"], 2, ["no-such-host.invalid"]
    yield train[:-2] + ["--rank", "1", "--ranks", "2", "--rendezvous", "nonsense"], 2, ["--rendezvous"]
    yield train + ["--rank", "1", "--ranks", "2", "--rendezvous", "127.0.0.1:9"], 2, [
        "--out", "rank 0"]
    yield train + ["--rank", "2", "--ranks", "2", "--rendezvous", "127.0.0.1:9"], 2, ["--rank"]
    yield train + ["--rank", "0", "--ranks", "2", "--rendezvous", "127.0.0.1:0",
                   "--timeout", "1"], 3, ["rank 1"]


def main():
    failed = total = 0
    with tempfile.TemporaryDirectory() as root:
        for arguments, status, texts in cases(root):
            total += 1
            run = subprocess.run([LOCKSTEP, *arguments], capture_output=True, text=True,
                                 errors="replace", timeout=60)
            faults = []
            if run.returncode != status:
                faults.append(f"status {run.returncode}, expected {status}")
            if "\ufffd" in run.stderr:
                faults.append("prints bytes that are not text")
            faults += [f"does not say {text!r}" for text in texts if text not in run.stderr]
            if arguments and len(run.stderr.strip().splitlines()) > 4:
                faults.append("more than four lines")
            left = [name for name in os.listdir(root) if name.startswith("result.json")]
            if left:
                faults.append(f"left {left}")
                for name in left:
                    os.remove(os.path.join(root, name))
            if faults:
                failed += 1
                print(f"lockstep {' '.join(arguments)}\n  {run.stderr.strip()}\n  FAULT: "
                      + "; ".join(faults))
    print(f"{total - failed} of {total} wrong inputs handled")
    return 1 if failed else 0


sys.exit(main())
