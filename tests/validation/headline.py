#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The paper's figure: how long a whole training run takes, predicted and measured.

First `lockstep validate tests/validation/headline.json --out headline/report.json --work headline`;
then headline.py headline figure.svg reads what that has left there.
"""
import json
import pathlib
import statistics
import sys

ROW, LEFT, WIDE = 44, 190, 560


def runs(folder):
    """(name, predicted seconds, measured seconds, images of the run) of each case, as they came."""
    for path in sorted(folder.glob("*.predicted.json"), key=lambda path: path.stat().st_mtime_ns):
        name = path.name.removesuffix(".predicted.json")
        predicted = json.loads(path.read_text())
        measured = [json.loads(other.read_text())["summary"]["run_seconds"]
                    for other in folder.glob(f"{name}.measured.*.json")]
        if measured:
            job = predicted["job"]
            seconds = job["iterations"] * predicted["summary"]["iteration_seconds"]["mean"]
            yield (name, seconds, statistics.median(measured), job["iterations"] * job["batch"])


def drawing(rows):
    scale = WIDE / max(max(predicted, measured) for _, predicted, measured, _ in rows)
    height = 40 + ROW * len(rows)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDE + 130}" '
             f'height="{height}" font-family="sans-serif" font-size="13">',
             '<rect width="100%" height="100%" fill="white"/>',
             '<text x="10" y="20">Seconds of a training run: predicted (grey), measured (blue)</text>']
    for number, (name, predicted, measured, _) in enumerate(rows):
        y = 34 + ROW * number
        lines.append(f'<text x="10" y="{y + 20}">{name}</text>')
        for offset, seconds, colour in ((0, predicted, "#999"), (15, measured, "#36c")):
            lines.append(f'<rect x="{LEFT}" y="{y + offset}" width="{seconds * scale:.1f}" '
                         f'height="13" fill="{colour}"/>')
            lines.append(f'<text x="{LEFT + 6 + seconds * scale:.1f}" y="{y + offset + 11}">'
                         f'{seconds:.1f}</text>')
    return "\n".join(lines + ["</svg>"]) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rows = list(runs(pathlib.Path(sys.argv[1])))
    if not rows:
        sys.exit(f"{sys.argv[1]}: has no case that was predicted and measured")
    print(f"{'case':<32} {'predicted':>10} {'measured':>10} {'error':>8}")
    for name, predicted, measured, images in rows:
        print(f"{name:<32} {predicted:>8.1f} s {measured:>8.1f} s {predicted / measured - 1:>+8.1%}"
              f"  ({images} images)")
    pathlib.Path(sys.argv[2]).write_text(drawing(rows))


if __name__ == "__main__":
    main()
