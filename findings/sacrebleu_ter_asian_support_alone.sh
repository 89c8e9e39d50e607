#!/usr/bin/env bash
# TER(asian_support=True) compares Chinese sentences as one word each unless normalized=True is set as well.
#
# Version: sacrebleu==2.6.0 (Python 3.11)
# Guess: asian_support=True separates Chinese characters, so one wrong character of 13 gives a TER of 100 / 13 = 7.7.
# Behaviour: the characters are separated inside the normalization, which is off by default: without it the setting
# changes nothing, each sentence is one word, and one wrong character gives 100.
# Matters: the score looks like that of a useless system, while its signature says asian:yes (beside norm:no).
#
# Output seen:
#   guessed: {'asian_support': 7.7, 'asian_support, normalized': 7.7}
#   seen:    {'asian_support': 100.0, 'asian_support, normalized': 7.7}
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python="${PYTHON:-python3}"
"$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore --target "$folder" \
    sacrebleu==2.6.0

PYTHONPATH="$folder" PYTHONUTF8=1 "$python" -W ignore - <<'EOF'
import sys

from sacrebleu.metrics import TER

REFERENCE = "上下文长度决定模型能读多少"
HYPOTHESIS = "上下文长度决定模型可读多少"
GUESS = {"asian_support": 7.7, "asian_support, normalized": 7.7}
EXPECTED = {"asian_support": 100.0, "asian_support, normalized": 7.7}


def ter(**settings):
    return round(TER(**settings).corpus_score([HYPOTHESIS], [[REFERENCE]]).score, 1)


seen = {"asian_support": ter(asian_support=True), "asian_support, normalized": ter(asian_support=True, normalized=True)}

print("guessed:", GUESS)
print("seen:   ", seen)
if seen != EXPECTED:
    sys.exit("The behaviour has changed.")
EOF
