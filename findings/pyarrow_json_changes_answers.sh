#!/usr/bin/env bash
# pyarrow reads answers that look like dates as timestamps, and large integers as rounded floats.
#
# Version: pyarrow==26.0.1 (Python 3.11)
# Guess: a JSON string stays a string, and an integer too large for 64 bits is refused or kept exactly.
# Behaviour: a column whose strings all look like ISO dates becomes timestamp[s], a column with one other answer stays text;
# two ids of 20 digits become one float. Both without a warning. (datasets 5.2.0 reads local JSON files this way.)
# Matters: the type of a label or answer depends on the rows of a split, and different documents get the same id:
# specify the schema.
#
# Output seen:
#   guessed: {'all dates': 'string', 'one other': 'string', 'different ids': 2}
#   seen:    {'all dates': 'timestamp[s]', 'one other': 'string', 'different ids': 1}
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python="${PYTHON:-python3}"
"$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore --target "$folder" \
    pyarrow==26.0.1

PYTHONPATH="$folder" PYTHONUTF8=1 "$python" -W ignore - <<'EOF'
import io
import sys

from pyarrow import json

DATES = b"""{"id": 12345678901234567890, "answer": "1969-07-20"}
{"id": 12345678901234567891, "answer": "1971-08-07"}
"""
MIXED = DATES.replace(b"1971-08-07", b"on a Monday")
GUESS = {"all dates": "string", "one other": "string", "different ids": 2}
EXPECTED = {"all dates": "timestamp[s]", "one other": "string", "different ids": 1}

dates, mixed = (json.read_json(io.BytesIO(rows)) for rows in (DATES, MIXED))
seen = {
    "all dates": str(dates.schema.field("answer").type),
    "one other": str(mixed.schema.field("answer").type),
    "different ids": len(set(dates["id"].to_pylist())),
}

print("guessed:", GUESS)
print("seen:   ", seen)
if seen != EXPECTED:
    sys.exit("The behaviour has changed.")
EOF
