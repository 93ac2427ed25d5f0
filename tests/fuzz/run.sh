#!/usr/bin/env bash
# usage: tests/fuzz/run.sh LOCKSTEP SECONDS
# Builds the fuzz target with clang and libFuzzer, and lets it search for so long, beginning with
# files that LOCKSTEP (the program) writes. What breaks it is left in build/fuzz, status 1. Without
# clang++ it says so, and is content.
set -euo pipefail
lockstep=$(realpath "$1")
seconds=$2
cd "$(dirname "$0")/../.."

if ! command -v clang++ >/dev/null; then
  echo "fuzz: clang++ is not installed, so nothing is searched (Debian: apt-get install clang)"
  exit 0
fi
mkdir -p build/fuzz/corpus
clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I. \
  tests/fuzz/msccl_fuzz.cpp models/{base,schedule,collectives,msccl}/*.cpp -lexpat \
  -o build/fuzz/msccl_fuzz
for algorithm in ring recursive-doubling double-tree parameter-server; do
  "$lockstep" schedule convert --algorithm "$algorithm" --ranks 3 \
    "build/fuzz/corpus/$algorithm.xml" >/dev/null
done
if ! build/fuzz/msccl_fuzz -max_total_time="$seconds" -max_len=16384 -timeout=10 \
    -dict=tests/fuzz/msccl.dict -print_final_stats=1 -verbosity=0 \
    -artifact_prefix=build/fuzz/ build/fuzz/corpus >build/fuzz/log 2>&1; then
  tail -40 build/fuzz/log
  exit 1
fi
echo "fuzz: nothing broke ($(sed -n 's/stat::number_of_executed_units: //p' build/fuzz/log) files)"
