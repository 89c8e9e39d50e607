#!/usr/bin/env bash
# In a Regex of tokenizers, "^" and "$" match at every line, not only at the ends of the text.
#
# Version: tokenizers==0.23.3 (Python 3.11)
# Guess: "^ " removes one space at the start of the text, as in Python's re and in Rust's regex without the flag m.
# Behaviour: the patterns are in Oniguruma's Ruby syntax, where ^ and $ always belong to lines; \A and \z belong to the text.
# Matters: a normalizer that should strip one leading space strips a space from every line of a document.
#
# Output seen:
#   guessed: {'^': 'def f():\n return 1\n', '\\A': 'def f():\n return 1\n'}
#   seen:    {'^': 'def f():\nreturn 1\n', '\\A': 'def f():\n return 1\n'}
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python="${PYTHON:-python3}"
"$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore --target "$folder" \
    tokenizers==0.23.3

PYTHONPATH="$folder" PYTHONUTF8=1 "$python" -W ignore - <<'EOF'
import re
import sys

from tokenizers import Regex, normalizers

TEXT = " def f():\n return 1\n"
GUESS = {"^": re.sub("^ ", "", TEXT), r"\A": re.sub(r"\A ", "", TEXT)}
EXPECTED = {"^": "def f():\nreturn 1\n", r"\A": "def f():\n return 1\n"}

seen = {anchor: normalizers.Replace(Regex(anchor + " "), "").normalize_str(TEXT) for anchor in GUESS}

print("guessed:", GUESS)
print("seen:   ", seen)
if seen != EXPECTED:
    sys.exit("The behaviour has changed.")
EOF
