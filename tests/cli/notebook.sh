#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Executes the notebooks on results made here: bash notebook.sh LOCKSTEP REPOSITORY
set -euo pipefail
lockstep=$1
repository=$2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# The notebook reads ../out/quickstart from where it lies.
mkdir -p "$root/notebooks" "$root/out/quickstart"
cp "$repository"/notebooks/*.ipynb "$root/notebooks/"
cp -r "$repository/notebooks/sample" "$root/notebooks/"
machine=$root/machine.json
python3 - "$repository/notebooks/sample/predicted_2.json" "$machine" <<'PYTHON'
import json, sys
with open(sys.argv[1]) as source, open(sys.argv[2], "w") as target:
    json.dump(json.load(source)["machine"], target)
PYTHON
for ranks in 1 2; do
  "$lockstep" simulate --network lenet5 --machine "$machine" --ranks $ranks \
    --out "$root/out/quickstart/predicted_$ranks.json" >/dev/null 2>&1
  "$lockstep" train --network lenet5 --ranks $ranks --iterations 30 \
    --out "$root/out/quickstart/measured_$ranks.json" >/dev/null
done
for notebook in "$root"/notebooks/*.ipynb; do
  /usr/bin/jupyter-nbconvert --to notebook --execute --output-dir "$root/executed" "$notebook" \
    >"$root/log" 2>&1 || { cat "$root/log"; exit 1; }
done
ls "$root/executed"
