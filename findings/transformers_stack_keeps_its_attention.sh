#!/usr/bin/env bash
# After model.set_attn_implementation("sdpa") the encoder of a T5 still runs the attention that it was given before.
#
# Version: transformers==5.17.0, torch==2.13.0 (Python 3.11); mended by 5.23.0
# Guess: setting the implementation on the whole model sets it in every stack, whatever a stack was set to before.
# Behaviour: the model's config says sdpa already, so that the stacks of a T5 are left alone; those of a BART are set.
# Matters: a sparse pattern that was installed in the encoder alone stays active after full attention was asked for, and
#   what is then measured as "dense" is not. Set it on each stack.
#
# Output seen:
#   guessed: {'t5': 'sdpa', 'bart': 'sdpa'}
#   seen:    {'t5': 'eager', 'bart': 'sdpa'}
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python="${PYTHON:-python3}"
"$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore --target "$folder" \
    torch==2.13.0 transformers==5.17.0

PYTHONPATH="$folder" PYTHONUTF8=1 "$python" -W ignore - <<'EOF'
import sys

from transformers import BartConfig, BartForConditionalGeneration, T5Config, T5ForConditionalGeneration

GUESS = {"t5": "sdpa", "bart": "sdpa"}
EXPECTED = {"t5": "eager", "bart": "sdpa"}

models = {
    "t5": T5ForConditionalGeneration(T5Config(vocab_size=60, d_model=32, d_kv=16, d_ff=32, num_layers=1, num_heads=2)),
    "bart": BartForConditionalGeneration(
        BartConfig(vocab_size=60, d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                   decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32)
    ),
}
seen = {}
for name, model in models.items():
    encoder = model.get_encoder()
    encoder.set_attn_implementation("eager")
    model.set_attn_implementation("sdpa")
    seen[name] = encoder.config._attn_implementation

print("guessed:", GUESS)
print("seen:   ", seen)
if seen != EXPECTED:
    sys.exit("The behaviour has changed.")
EOF
