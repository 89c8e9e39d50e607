"""Perplexity past the trained length: SmolLM2 on a held-out novel at 8,192 tokens and at twice that.

The same 2,048 tokens of the novel are scored each time: once after the 6,144 tokens before them, which is the trained
length, then after the 14,336 tokens before them, with each way to extend rotary positions. Interpolated trigrams of the
training novels are the baseline.
"""

import gc
import json
import math
import sys
from pathlib import Path
from typing import Any

import torch

from ctxlab.command.compose import compose
from ctxlab.config.build import build
from ctxlab.core.model import ModelSource
from ctxlab.tasks.forms.vocabulary import cross_entropy
from ctxlab.tasks.text.encoding import encode_text
from ctxlab.workbench.assemble import assemble
from ctxlab.workbench.parts import make_parts
from scripts.bench.timing import row
from scripts.bench.trigram import Trigram

TRAINED, SCORED = 8192, 2048
POSITIONS = ("keep", "linear", "ntk", "dynamic_ntk", "yarn")
USELESS = 1.5
"""Factor over the perplexity at the trained length that ``keep`` must exceed, which shows that extension is needed."""

NOVEL, FIRST = "1023_bleak_house", 20_000
"""Id of the held-out document, and the first of its tokens that is used."""


def measure(data: Path) -> list[dict[str, Any]]:
    """Build one model per length and part, and score one window with each."""
    novels = data / "lm_novels"
    source = build(compose("eval", ["task=lm", "model=smollm2"]).model, ModelSource)
    tokenizer = source.tokenizer()
    (text,) = [novel["text"] for novel in _read(novels / "validation.jsonl") if novel["id"] == NOVEL]
    ids = encode_text(tokenizer, text[:400_000]).input_ids[FIRST : FIRST + 2 * TRAINED]
    assert len(ids) == 2 * TRAINED
    trained = perplexity(ids[TRAINED:], "keep")
    found = {name: perplexity(ids, name) for name in POSITIONS}
    best = min((name for name in POSITIONS if name != "keep"), key=found.__getitem__)
    train = [encode_text(tokenizer, novel["text"]).input_ids.tolist() for novel in _read(novels / "train.jsonl")]
    trigram = Trigram(train, len(tokenizer)).perplexity(ids.tolist(), start=len(ids) - SCORED)
    return [
        row(f"perplexity of smollm2 (4-bit) on a held-out novel at {TRAINED:,} tokens", trained, at_most=trigram),
        *(row(f"… at {2 * TRAINED:,} with {name}", found[name]) for name in POSITIONS),
        row("… keep at twice the trained length, times that at the trained one", found["keep"] / trained,
            at_least=USELESS),
        row(f"… the best rotary part ({best}), times that at the trained one", found[best] / trained, at_most=1.1),
        row("… of interpolated trigrams of ten other novels", trigram),
    ]  # fmt: skip


def perplexity(ids: Any, positions: str) -> float:
    """Return the perplexity of the last ``SCORED`` tokens of one window of ``ids``."""
    words = ["task=lm", "model=smollm2", "strategy=chunk", f"strategy/positions={positions}"]
    parts = make_parts(compose("eval", [*words, f"context.length={len(ids)}"]), Path())
    task, source = parts.task, parts.model
    if positions == "keep":  # a stage refuses it past the trained length
        model = source.build(task.head, task.labels)
    else:
        model, _ = assemble(parts.strategy, source, task=task, tuning=parts.tuning, length=len(ids))
    model.eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        inputs = torch.from_numpy(ids)[None]
        logits = model(input_ids=inputs, use_cache=False, logits_to_keep=SCORED + 1).logits[:, :-1]
        loss = cross_entropy(logits, inputs[:, -SCORED:])
    found = math.exp(float(loss.total / loss.weight))
    print(f"{positions} at {len(ids):,}: {found:.2f}", file=sys.stderr, flush=True)
    del model, logits
    gc.collect()
    return found


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
