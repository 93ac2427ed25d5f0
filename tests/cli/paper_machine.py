# SPDX-License-Identifier: Apache-2.0
"""A machine that nobody measured, for tests that need one: what its datasheet would say."""
MACHINE = {
    "schema": "lockstep.machine/1", "name": "paper", "origin": "datasheet", "cores": 2,
    "flops_per_core": "100 GFLOP/s", "memory_bandwidth": "20 GB/s",
    "loopback_bandwidth": "2 GB/s", "combine_per_byte": "0.1 ns",
    "message": {"send_overhead": "5 us", "receive_overhead": "5 us",
                "send_core_per_byte": "0.3 ns", "receive_core_per_byte": "0.2 ns",
                "latency": "20 us", "window": "1 MiB"}}
