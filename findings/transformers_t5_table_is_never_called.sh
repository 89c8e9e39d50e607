#!/usr/bin/env bash
# A forward hook on what get_input_embeddings() of a T5 or a BART returns is never called, while its weights are read.
#
# Version: transformers==5.23.0, torch==2.13.0 (Python 3.11)
# Guess: the module that get_input_embeddings() returns is the one that looks tokens up, so that a hook on it sees every
# forward pass, as it does in a BERT and a GPT-2: twice in an encoder-decoder, whose two stacks read the same table.
# Behaviour: encoder and decoder of a T5 or a BART have an embedding module each, which share its weights; the one that the model
# returns lies beside them and is not called. model.get_encoder().get_input_embeddings() is.
# Matters: what is added to embeddings by a hook (layout, soft prompts, adversarial steps) does nothing, without an error.
#
# Output seen:
#   guessed calls of the hook: {'bert': 1, 'gpt2': 1, 'bart': 2, 't5': 2}
#   seen:                      {'bert': 1, 'gpt2': 1, 'bart': 0, 't5': 0}
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

GUESS = {"bert": 1, "gpt2": 1, "bart": 2, "t5": 2}
EXPECTED = {"bert": 1, "gpt2": 1, "bart": 0, "t5": 0}

bart = {f"{side}_{what}": 2 if what != "ffn_dim" else 32
        for side in ("encoder", "decoder") for what in ("layers", "attention_heads", "ffn_dim")}
models = {
    "bert": tf.BertModel(tf.BertConfig(vocab_size=60, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
                                       intermediate_size=32)),
    "gpt2": tf.GPT2Model(tf.GPT2Config(vocab_size=60, n_embd=32, n_layer=1, n_head=2)),
    "bart": tf.BartModel(tf.BartConfig(vocab_size=60, d_model=32, **bart)),
    "t5": tf.T5Model(tf.T5Config(vocab_size=60, d_model=32, d_kv=16, d_ff=32, num_layers=1, num_heads=2)),
}
ids, seen = torch.tensor([[5, 6, 7]]), {}
for name, model in models.items():
    calls = []
    table = model.get_input_embeddings()
    table.register_forward_hook(lambda *_: calls.append(1))
    more = {"decoder_input_ids": ids} if name in ("bart", "t5") else {}
    before = model(input_ids=ids, **more)[0]
    seen[name] = len(calls)
    with torch.no_grad():
        table.weight[5] += 1  # the table is the one that is read
    assert not torch.equal(model(input_ids=ids, **more)[0], before), name

print("guessed calls of the hook:", GUESS)
print("seen:                     ", seen)
if seen != EXPECTED:
    sys.exit("The behaviour has changed.")
EOF
