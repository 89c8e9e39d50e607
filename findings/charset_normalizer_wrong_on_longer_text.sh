#!/usr/bin/env bash
# charset-normalizer decodes long French in Latin-1 with Baltic letters, and short Japanese in EUC-JP as Korean.
#
# Version: charset-normalizer==3.5.3 (Python 3.11)
# Guess: a short text may be misjudged, but 188 characters of French, and surely 3,760 of them, come back as written;
# Japanese with kana is not taken for Korean.
# Behaviour: three French sentences are decoded correctly (cp1252); with a fourth the best guess becomes cp1257 and stays so
# for twenty times as much text. The Japanese sentence is read as cp949.
# Matters: accents change in a whole corpus ("rénovée l'année derničre") without an error: specify the encoding.
#
# Output seen:
#   guessed: {'French, 131 characters': 'as written', 'French, 188 characters': 'as written', 'French, 3760 characters': 'as written', 'Japanese, 16 characters': 'as written'}
#   seen:    {'French, 131 characters': 'as written', 'French, 188 characters': 'cp1257', 'French, 3760 characters': 'cp1257', 'Japanese, 16 characters': 'cp949'}
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python="${PYTHON:-python3}"
"$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore --target "$folder" \
    charset-normalizer==3.5.3

PYTHONPATH="$folder" PYTHONUTF8=1 "$python" -W ignore - <<'EOF'
import sys

from charset_normalizer import from_bytes

FRENCH = [
    "Le café était fermé à Noël.",
    "La bibliothèque a été rénovée l'année dernière.",
    "Les élèves préfèrent écouter le récit du vieux pêcheur.",
    "Nous avons déjà décidé où le prochain congrès aura lieu.",
]
TEXTS = {
    "French, 131 characters": (" ".join(FRENCH[:3]), "latin-1"),
    "French, 188 characters": (" ".join(FRENCH), "latin-1"),
    "French, 3760 characters": (" ".join(FRENCH) + " ".join([""] + FRENCH * 19), "latin-1"),
    "Japanese, 16 characters": ("会議は来週の火曜日に始まります。", "euc_jp"),
}
GUESS = dict.fromkeys(TEXTS, "as written")
EXPECTED = {
    "French, 131 characters": "as written",
    "French, 188 characters": "cp1257",
    "French, 3760 characters": "cp1257",
    "Japanese, 16 characters": "cp949",
}


def judged(text, encoding):
    best = from_bytes(text.encode(encoding)).best()
    return "as written" if str(best) == text else best.encoding


seen = {name: judged(*pair) for name, pair in TEXTS.items()}

print("guessed:", GUESS)
print("seen:   ", seen)
if seen != EXPECTED:
    sys.exit("The behaviour has changed.")
EOF
