# SPDX-License-Identifier: Apache-2.0
"""Reads and writes safetensors files of float32 tensors with the standard library and PyTorch."""
import json
import struct

import torch


def load(path):
    """Returns the tensors by name, and the metadata."""
    with open(path, "rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", (name, entry["dtype"])
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(data, dtype=torch.float32, count=(end - begin) // 4, offset=begin) \
            if end > begin else torch.empty(0)
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors, metadata


def save(path, tensors, metadata=None):
    header = {"__metadata__": metadata} if metadata else {}
    blobs = []
    at = 0
    for name, tensor in tensors.items():
        blob = tensor.detach().float().contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape),
                        "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
