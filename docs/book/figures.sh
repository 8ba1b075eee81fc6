#!/usr/bin/env bash
# Makes those figures of the book that show runs: films, the report, one curve of it, pictures of tasks.
#
#   docs/book/figures.sh AMAGO RUN...
#
# AMAGO is the program; the runs are those of the quick start, which differ in the seed alone:
#
#   for seed in 0 1 2; do amago train --set seed=$seed --run-dir runs/lake-seed$seed; done
#   docs/book/figures.sh target/release/amago runs/lake-seed*
set -euo pipefail

if [ $# -lt 2 ]; then
    printf 'usage: %s AMAGO RUN...\n' "$0" >&2
    exit 2
fi
amago=$1
shift
src="$(dirname "${BASH_SOURCE[0]}")/src"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$amago" film "$1" -o "$src/img/lake.gif"
"$amago" film "$1" --random -o "$src/img/random.gif"
"$amago" report "$@" -o "$src/report.html"

# The report's first curve, with the style that the page gives it.
style='text{font:11px sans-serif;fill:#555}.t{font-size:12.5px;font-weight:600;fill:#222}'
style+='.y{text-anchor:end}.x{text-anchor:middle}.g{stroke:#e8e8ea;fill:none}.c{fill:none;stroke-width:1.8}'
grep -oP '<svg [^>]*aria-label="success of each attempt.*?</svg>' "$src/report.html" | head -n 1 |
    sed "s|^<svg |<svg xmlns=\"http://www.w3.org/2000/svg\" |; s|>|><style>$style</style><rect width=\"480\" height=\"280\" fill=\"#fff\"/>|" \
        >"$src/img/adaptation.svg"

# The first state of a few tasks.
picture() {
    local name=$1 env=$2
    shift 2
    "$amago" rollout "$env" "$@" --quiet --render "$work/$name" >/dev/null
    cp "$work/$name/episode-0001-step-00000.png" "$src/img/$name.png"
}
picture maze mazerunner --seed 2
picture room dark-key-to-door --seed 2

# What is committed stays small.
large=$(find "$src" -type f -size +150k)
if [ -n "$large" ]; then
    printf 'above 150 kB: %s\n' "$large" >&2
    exit 1
fi
