#!/usr/bin/env bash
# If the two add_prefix_space settings of a byte-level tokenizer differ, the first word's offsets lack its first letter.
#
# Version: tokenizers==0.23.3 (Python 3.11)
# Guess: trim_offsets removes spaces, and only spaces, from the spans, so the first word is "Berlin" whether the space
# before it was added by the pre-tokenizer or is part of the text.
# Behaviour: the post-processor has its own add_prefix_space, looks at the token and not at the text, and drops one
# character too many ("erlin") or one too few (" Berlin", in its default setting) where the two differ.
# Matters: answers and entities at the start of a document are extracted by these offsets; setting add_prefix_space in
# a loaded tokenizer (as one does for lists of words) changes the pre-tokenizer only.
#
# Output seen:
#   guessed: {'added space': 'Berlin', 'space in the text': 'Berlin'}
#   seen:    {'added space': 'erlin', 'space in the text': ' Berlin'}
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python="${PYTHON:-python3}"
"$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore --target "$folder" \
    tokenizers==0.23.3

PYTHONPATH="$folder" PYTHONUTF8=1 "$python" -W ignore - <<'EOF'
import sys

from tokenizers import Tokenizer, models, pre_tokenizers, processors

GUESS = {"added space": "Berlin", "space in the text": "Berlin"}
EXPECTED = {"added space": "erlin", "space in the text": " Berlin"}


def first_word(text, before, after):
    tokenizer = Tokenizer(models.WordLevel({"ĠBerlin": 0, "Ġis": 1, "Ġold": 2, "?": 3}, "?"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=before)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True, **after)
    start, end = tokenizer.encode(text).offsets[0]
    return text[start:end]


seen = {
    "added space": first_word("Berlin is old", True, {"add_prefix_space": False}),
    "space in the text": first_word(" Berlin is old", False, {}),
}

print("guessed:", GUESS)
print("seen:   ", seen)
if seen != EXPECTED:
    sys.exit("The behaviour has changed.")
EOF
