#!/usr/bin/env bash
# pysbd begins a Chinese sentence with the closing quotation mark of the sentence before.
#
# Version: pysbd==0.3.4 (Python 3.11)
# Guess: a closing quotation mark stays with the sentence that it ends.
# Behaviour: with “ and ” the text is split directly after the full stop, so the mark begins the next sentence; with 「 and 」
# the text is not split there at all.
# Matters: chunks that begin at a sentence begin with a stray mark, and the quotation before them is never closed.
#
# Output seen:
#   guessed: {'curly': ['他说：“走吧。”', '她点头。', '他们走了。'], 'corner': ['他说：「走吧。」', '她点头。', '他们走了。']}
#   seen:    {'curly': ['他说：“走吧。', '”她点头。', '他们走了。'], 'corner': ['他说：「走吧。」她点头。', '他们走了。']}
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python="${PYTHON:-python3}"
"$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore --target "$folder" \
    pysbd==0.3.4

PYTHONPATH="$folder" PYTHONUTF8=1 "$python" -W ignore - <<'EOF'
import sys

import pysbd

CURLY = "他说：“走吧。”她点头。他们走了。"
CORNER = "他说：「走吧。」她点头。他们走了。"
GUESS = {
    "curly": ["他说：“走吧。”", "她点头。", "他们走了。"],
    "corner": ["他说：「走吧。」", "她点头。", "他们走了。"],
}
EXPECTED = {
    "curly": ["他说：“走吧。", "”她点头。", "他们走了。"],
    "corner": ["他说：「走吧。」她点头。", "他们走了。"],
}

segmenter = pysbd.Segmenter(language="zh", clean=False)
seen = {"curly": segmenter.segment(CURLY), "corner": segmenter.segment(CORNER)}

print("guessed:", GUESS)
print("seen:   ", seen)
if seen != EXPECTED:
    sys.exit("The behaviour has changed.")
EOF
