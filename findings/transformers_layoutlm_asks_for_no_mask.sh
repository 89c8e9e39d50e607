#!/usr/bin/env bash
# A mask function that is registered with an attention function is not asked by LayoutLM, which hands over a mask of its own.
#
# Version: transformers==5.23.0, torch==2.13.0 (Python 3.11)
# Guess: with attention registered by AttentionInterface and its mask by AttentionMaskInterface under the same name, every
# model of BERT's kind asks the mask function, and the attention function gets what it returned.
# Behaviour: BERT does. LayoutLM calls the attention function, but builds the mask of padding itself: (B, 1, 1, L), with one
# row for all queries, where BERT's attention gets what the registered function returned.
# Matters: a sparse pattern that lives in the mask is then not applied, or an index into the rows of queries fails.
#
# Output seen:
#   guessed: {'bert': (1, 'marker'), 'layoutlm': (1, 'marker')}
#   seen:    {'bert': (1, 'marker'), 'layoutlm': (0, '(1, 1, 1, 6)')}
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python="${PYTHON:-python3}"
"$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore --target "$folder" \
    torch==2.13.0 transformers==5.23.0

PYTHONPATH="$folder" PYTHONUTF8=1 "$python" -W ignore - <<'EOF'
import sys

import torch
import transformers as tf
from transformers import AttentionInterface, AttentionMaskInterface

GUESS = {"bert": (1, "marker"), "layoutlm": (1, "marker")}
EXPECTED = {"bert": (1, "marker"), "layoutlm": (0, "(1, 1, 1, 6)")}

asked, given = [], []
marker = torch.zeros(1, 1, 6, 6)


def mask(*args, **kwargs):
    asked.append(1)
    return marker


def attention(module, query, key, value, attention_mask, **kwargs):
    given.append("marker" if attention_mask is marker else str(tuple(attention_mask.shape)))
    return value.transpose(1, 2), None


AttentionInterface.register("mine", attention)
AttentionMaskInterface.register("mine", mask)
sizes = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
models = {"bert": tf.BertModel(tf.BertConfig(**sizes)), "layoutlm": tf.LayoutLMModel(tf.LayoutLMConfig(**sizes))}
seen = {}
for name, model in models.items():
    asked.clear(), given.clear()
    model.set_attn_implementation("mine")
    model(input_ids=torch.tensor([[5, 6, 7, 8, 9, 0]]), attention_mask=torch.tensor([[1, 1, 1, 1, 1, 0]]))
    seen[name] = (len(asked), given[0])

print("guessed:", GUESS)
print("seen:   ", seen)
if seen != EXPECTED:
    sys.exit("The behaviour has changed.")
EOF
