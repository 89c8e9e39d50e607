#!/usr/bin/env bash
# A layer of torch's dynamic int8 quantization gives a token another output when another token of the input changes.
#
# Version: torch==2.13.0 (Python 3.11)
# Guess: a linear layer works on each token alone, quantized or not, so that outputs depend on the token's own values.
# Behaviour: activations of the whole input share one scale, which the largest value of any token sets.
# Matters: a document's scores depend on its neighbours in the batch and on padding, and a token of one window changes
#   others that its attention pattern cannot see. Scale each token by itself where answers must not depend on company.
#
# Output seen:
#   guessed: {'fp32': 0.0, 'int8': 0.0}
#   seen:    {'fp32': 0.0, 'int8': 0.38}
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python="${PYTHON:-python3}"
"$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore --target "$folder" \
    torch==2.13.0 numpy==2.4.6

PYTHONPATH="$folder" PYTHONUTF8=1 "$python" -W ignore - <<'EOF'
import sys

import torch

GUESS = {"fp32": 0.0, "int8": 0.0}

torch.manual_seed(0)
layer = torch.nn.Sequential(torch.nn.Linear(32, 32))
layers = {"fp32": layer, "int8": torch.ao.quantization.quantize_dynamic(layer, {torch.nn.Linear}, dtype=torch.qint8)}
alone = torch.randn(2, 32)
beside = alone.clone()
beside[1] *= 40  # the second token only

seen = {}
with torch.no_grad():
    for name, one in layers.items():
        seen[name] = round(float((one(alone)[0] - one(beside)[0]).abs().max()), 2)

print("guessed:", GUESS)
print("seen:   ", seen)
if seen["fp32"] > 0.0 or seen["int8"] < 0.02:
    sys.exit("The behaviour has changed.")
EOF
