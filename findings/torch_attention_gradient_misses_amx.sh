#!/usr/bin/env bash
# On a CPU with AMX, bf16 makes matrix products faster and the gradient of masked attention slower.
#
# Version: torch==2.13.0 for the CPU (Python 3.11); a processor with AMX for bf16, two threads
# Guess: where products in bf16 take a quarter of the time of fp32, so does attention, which consists of them; its gradient
#   in bf16 is faster than in fp32.
# Behaviour: products and the forward pass are faster; the backward pass of scaled_dot_product_attention with a mask takes
#   two to three times as long in bf16 as in fp32. Batched products and softmax written out take a quarter of that time.
# Matters: training in bf16 on such a processor spends half of a step there; `autocast` alone makes long windows slower than
#   its matrix rate promises.
#
# Output seen:
#   guessed: {'products faster': True, 'forward faster': True, 'backward faster': True}
#   seen:    {'products faster': True, 'forward faster': True, 'backward faster': False}
set -euo pipefail

if ! grep -qw amx_bf16 /proc/cpuinfo; then
    echo "This finding needs a processor with AMX for bf16."
    exit 0
fi
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python="${PYTHON:-python3}"
"$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore --target "$folder" torch==2.13.0 numpy

PYTHONPATH="$folder" PYTHONUTF8=1 "$python" -W ignore - <<'EOF'
import math
import sys
import time

import torch
from torch.nn.functional import scaled_dot_product_attention

GUESS = {"products faster": True, "forward faster": True, "backward faster": True}
EXPECTED = {"products faster": True, "forward faster": True, "backward faster": False}
BLOCKS, HEADS, QUERIES, KEYS, WIDTH, ROUNDS = 16, 12, 128, 416, 32, 12

torch.set_num_threads(2)
query, key = torch.arange(QUERIES)[:, None], torch.arange(KEYS)[None]
near = (key - query >= 0) & (key - query <= 256)


def actions(dtype):
    left, right = torch.randn(4096, 384).to(dtype), torch.randn(384, 1536).to(dtype)
    sizes = (QUERIES, KEYS, KEYS)
    parts = [torch.randn(BLOCKS, HEADS, size, WIDTH).to(dtype).requires_grad_() for size in sizes]
    mask = torch.zeros(BLOCKS, 1, QUERIES, KEYS).masked_fill(~near, -math.inf).to(dtype)
    upstream = torch.randn(BLOCKS, HEADS, QUERIES, WIDTH).to(dtype)

    def attend():
        return scaled_dot_product_attention(*parts, attn_mask=mask)

    output = attend()
    return {
        "products": lambda: left @ right,
        "forward": attend,
        "backward": lambda: torch.autograd.grad(output, parts, upstream, retain_graph=True),
    }


narrow, wide = actions(torch.bfloat16), actions(torch.float32)
best = {(kind, name): math.inf for kind in ("narrow", "wide") for name in narrow}
for _ in range(ROUNDS):
    for kind, some in (("narrow", narrow), ("wide", wide)):
        for name, action in some.items():
            started = time.perf_counter()
            action()
            best[kind, name] = min(best[kind, name], time.perf_counter() - started)
seen = {f"{name} faster": best["narrow", name] < best["wide", name] for name in narrow}

print("milliseconds in bf16 and fp32:", {name: tuple(round(1e3 * best[k, name], 1) for k in ("narrow", "wide")) for name in narrow})
print("guessed:", GUESS)
print("seen:   ", seen)
if seen != EXPECTED:
    sys.exit("The behaviour has changed.")
EOF
