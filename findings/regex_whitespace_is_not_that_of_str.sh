#!/usr/bin/env bash
# In the package regex, \s does not match U+001C to U+001F, which are white space for str.split() and re.
#
# Version: regex==2026.11.19 (Python 3.11)
# Guess: regex is backwards compatible with re, so splitting at \s gives the same words as with re and as str.split().
# Behaviour: the four separators of files, groups, records and units are white space for str.isspace() and for re, not for
# regex, which follows Unicode's White_Space.
# Matters: in a text with such a separator (an old database export), indices of words from one function and labels from
# the other are off by one from there on.
#
# Output seen:
#   guessed: {'str': 6, 're': 6, 'regex': 6}
#   seen:    {'str': 6, 're': 6, 'regex': 2}
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python="${PYTHON:-python3}"
"$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore --target "$folder" \
    regex==2026.11.19

PYTHONPATH="$folder" PYTHONUTF8=1 "$python" -W ignore - <<'EOF'
import re
import sys

import regex

TEXT = "first\x1cpage\x1dsecond\x1epage\x1fof three"
GUESS = {"str": 6, "re": 6, "regex": 6}
EXPECTED = {"str": 6, "re": 6, "regex": 2}

seen = {"str": len(TEXT.split()), "re": len(re.split(r"\s+", TEXT)), "regex": len(regex.split(r"\s+", TEXT))}

print("guessed:", GUESS)
print("seen:   ", seen)
if seen != EXPECTED:
    sys.exit("The behaviour has changed.")
EOF
