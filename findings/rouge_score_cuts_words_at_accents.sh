#!/usr/bin/env bash
# rouge-score treats every letter outside a-z as a space, so that Müller and Möller are the same two words.
#
# Version: rouge-score==0.1.2, nltk==3.10.4, numpy==2.4.6 (Python 3.11)
# Guess: words are runs of letters. "Herr Müller" and "Herr Möller" share one of two words (0.5), "Elle a élu" and
# "Elle a lu" two of three (0.67), two Chinese sentences with the same year little, and a text with itself all.
# Behaviour: the default tokenizer replaces whatever is not a-z or 0-9 by a space: both pairs score 1.0, the Chinese
# sentences too (the year is their only word), and a Chinese text scores 0.0 against itself.
# Matters: well known for Chinese, less so for French and German, where wrong names and verbs in a summary go unnoticed.
#
# Output seen:
#   guessed: {'German': 0.5, 'French': 0.67, 'Chinese, one year': 'low', 'Chinese, itself': 1.0}
#   seen:    {'German': 1.0, 'French': 1.0, 'Chinese, one year': 1.0, 'Chinese, itself': 0.0}
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python="${PYTHON:-python3}"
"$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore --target "$folder" \
    rouge-score==0.1.2 nltk==3.10.4 numpy==2.4.6

PYTHONPATH="$folder" PYTHONUTF8=1 "$python" -W ignore - <<'EOF'
import sys

from rouge_score.rouge_scorer import RougeScorer

PAIRS = {
    "German": ("Herr Müller", "Herr Möller"),
    "French": ("Elle a élu", "Elle a lu"),
    "Chinese, one year": ("2019年他当选总统。", "2019年火车停运。"),
    "Chinese, itself": ("会议在周二开始", "会议在周二开始"),
}
GUESS = {"German": 0.5, "French": 0.67, "Chinese, one year": "low", "Chinese, itself": 1.0}
EXPECTED = {"German": 1.0, "French": 1.0, "Chinese, one year": 1.0, "Chinese, itself": 0.0}

scorer = RougeScorer(["rouge1"])
seen = {name: round(scorer.score(*pair)["rouge1"].fmeasure, 2) for name, pair in PAIRS.items()}

print("guessed:", GUESS)
print("seen:   ", seen)
if seen != EXPECTED:
    sys.exit("The behaviour has changed.")
EOF
