#!/usr/bin/env bash
# usage: tests/fuzz/run.sh LOCKSTEP SECONDS
# Builds the fuzz targets with clang and libFuzzer, and lets each search for so long, beginning with
# good files. LOCKSTEP is the program, in the folder of a build. What breaks a target is left in
# build/fuzz, status 1. Without clang++ it says so, and is content.
set -euo pipefail
lockstep=$(realpath "$1")
seconds=$2
cd "$(dirname "$0")/../.."

if ! command -v clang++ >/dev/null; then
  echo "fuzz: clang++ is not installed, so nothing is searched (Debian: apt-get install clang)"
  exit 0
fi

# search NAME SOURCE…: the target NAME_fuzz.cpp with what else it is built from; its first files are
# in build/fuzz/NAME.
search() {
  local name=$1
  shift
  clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I. \
    "tests/fuzz/${name}_fuzz.cpp" "$@" -lexpat -o "build/fuzz/${name}_fuzz"
  if ! "build/fuzz/${name}_fuzz" -max_total_time="$seconds" -max_len=16384 -timeout=100 \
      -rss_limit_mb=4096 -dict="tests/fuzz/$name.dict" -print_final_stats=1 -verbosity=0 \
      -artifact_prefix=build/fuzz/ "build/fuzz/$name" >"build/fuzz/$name.log" 2>&1; then
    tail -40 "build/fuzz/$name.log"
    return 1
  fi
  echo "fuzz: nothing broke $name in" \
    "$(sed -n 's/stat::number_of_executed_units: *//p' "build/fuzz/$name.log") files"
}

mkdir -p build/fuzz/topology
cp topologies/*.json build/fuzz/topology/
search topology models/{base,topology}/*.cpp \
  "$(dirname "$lockstep")/models/topology/embedded_topologies.cpp"

mkdir -p build/fuzz/msccl
for algorithm in ring recursive-doubling double-tree parameter-server; do
  "$lockstep" schedule convert --algorithm "$algorithm" --ranks 3 \
    "build/fuzz/msccl/$algorithm.xml" >/dev/null
done
search msccl models/{base,schedule,collectives,msccl}/*.cpp

rm -rf build/fuzz/jpeg
"$lockstep" data make --out build/fuzz/jpeg --images 8 --size 40 --layout folders
search jpeg models/base/*.cpp exec/data/jpeg.cpp -ljpeg

mkdir -p build/fuzz/sweep
echo '{"job": {"network": "lenet5"}, "grid": {"job/ranks": [1, 2], "job/batch": [8, 0]}}' \
  >build/fuzz/sweep/grid.json
echo '{"job": {"network": "lenet5"}, "topology": {"name": "t", "generate": {"star": {"hosts": 4,
  "bandwidth": "1 Gbit/s", "latency": "25 us"}}}, "conditions": {"stragglers": [{"factor": 2}]},
  "random": {"configurations": 3, "draw": {"job/ranks": {"low": 1, "high": 4},
  "machine/message/latency": {"low": 1, "high": 50, "unit": "us"}}}}' >build/fuzz/sweep/random.json
echo '{"job": {"network": "lenet5", "ranks": 2}, "list": [{"conditions/failure":
  {"rank": 1, "at": "1 s", "then": "abort", "detection": "1 s"}}]}' >build/fuzz/sweep/list.json
"$lockstep" sweep build/fuzz/sweep/grid.json --machine tests/fuzz/machine.json \
  --out build/fuzz/sweep/results.jsonl
search sweep models/{base,schedule,topology,conditions,network,compression,cost,collectives}/*.cpp \
  models/{training,results}/*.cpp sim/*/*.cpp \
  cli/{sweep_json,sweep_results_json,job_options,disturbed,prediction,command_line}.cpp \
  "$(dirname "$lockstep")"/models/{topology/embedded_topologies,network/embedded_networks}.cpp \
  -DLOCKSTEP_VERSION='""' -lboost_program_options
