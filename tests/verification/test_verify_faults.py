"""Parts that are broken on purpose: ``ctxlab verify`` detects each, and passes the same command without the fault."""

import json
import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from ctxlab.cli import main
from ctxlab.core.added_modules import attach, attached
from ctxlab.core.types import Merged, Window
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.stages import verify as stage
from ctxlab.strategies.attention import structured
from ctxlab.strategies.attention.fixed import Fixed
from ctxlab.strategies.attention.kernels import masks
from ctxlab.strategies.attention.kernels.plan import Plan, sliding
from ctxlab.strategies.attention.kernels.sparse import Sparse
from ctxlab.strategies.attention.local import Local
from ctxlab.strategies.attention.shifted import Shifted
from ctxlab.strategies.attention.strided import Strided
from ctxlab.strategies.memory import segment_cache
from ctxlab.strategies.memory.caches import cache as caches
from ctxlab.strategies.memory.caches.base import BaseMemory
from ctxlab.strategies.memory.recurrent import Recurrent
from ctxlab.strategies.memory.segment_cache import SegmentCache
from ctxlab.strategies.positions.tables.rotary import Rotary
from ctxlab.strategies.positions.tile import Tile
from ctxlab.strategies.reading import chunk
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.strategies.reading.truncate import Truncate
from ctxlab.strategies.reading.windows import merging
from ctxlab.strategies.reading.windows.window_encoder import WindowEncoder
from ctxlab.tasks.ner import NER
from ctxlab.workbench import parts as make_parts

SMALL = ("task=ner", "tracking=none", "data.words_per_document=60", "data.validation_documents=2", "data.documents=1",
         "data.test_documents=1", "data.evidence_distance=[20]", "context=96", "blocks=8", "tokens=12",
         "documents=1")  # fmt: skip
LOCAL = ("model=tiny_bert", "model.trained_length=64", "strategy=longformer", "strategy.attention.window=8")
LLAMA = ("model=tiny_llama", "strategy=longformer", "strategy.attention.window=8")
STRIDED = ("model=tiny_bert", "strategy=sparse_transformer", "strategy.attention.window=4",
           "strategy.attention.stride=11")  # fmt: skip
YARN = ("model=tiny_llama", "model.trained_length=48", "strategy=yarn")
CARRIED = ("model=tiny_bert", "strategy=chunk", "strategy/reading=segments", "strategy.reading.window=32")
RMT = ("model=tiny_bert", "strategy=rmt", "strategy.reading.window=32", "strategy.memory.num_tokens=3")
XL = ("model=tiny_llama", "strategy=transformer_xl", "strategy.reading.window=32")
HAT = ("model=tiny_bert", "strategy=hierarchical", "strategy.reading.window=32")


@pytest.fixture
def failed(tmp_path, capsys):
    """The failed checks of a command, which must fail: their names and details."""

    def run(*words):
        capsys.readouterr()
        given = {word.split("=")[0] for word in words}
        defaults = [word for word in SMALL if word.split("=")[0] not in given]
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        status = main(["verify", *defaults, *words, f"hydra.run.dir={folder}"])
        error = capsys.readouterr().err
        assert (folder / "result.json").exists(), error
        result = json.loads((folder / "result.json").read_text())
        assert status == (0 if result["passed"] else 1), error
        assert "Traceback" not in error
        assert all(name in error for name in result["failed"])
        return {name: result["checks"][name]["detail"] for name in result["failed"]}

    return run


def patterned(allowed, window=8, num_global=1):
    """``plans`` whose kernel computes another pattern than the declared one."""
    return lambda part, length, lengths: (Plan(allowed, sliding(window, num_global)),)


def near(window, num_global=1):
    return lambda query, key, _: ((query - key).abs() <= window) | (query < num_global) | (key < num_global)


STRUCTURED = ("model=tiny_llama", "task=lm", "strategy=chunk", "strategy/attention=structured",
              "strategy.attention.window=8", "strategy.attention.max_global=4")  # fmt: skip
SHIFTED = ("model=tiny_llama", "task=lm", "strategy=chunk", "strategy/attention=shifted", "context=64", "blocks=2",
           "tokens=1")  # fmt: skip


def test_global_tokens_that_are_chosen_by_the_whole_window(failed, monkeypatch):
    """As an encoder may choose them: the declared pattern changes with the tokens, so that only the check of causality
    finds it."""
    monkeypatch.setattr(structured, "is_causal", lambda model: False)
    found = failed(*STRUCTURED)
    assert "does attention=structured choose keys by the whole window" in found["the future"]


@pytest.mark.slow
def test_a_part_that_looks_ahead_passes_and_is_reported(tmp_path):
    words = ("model=tiny_llama", "task=lm", "strategy=chunk", "strategy/attention=lsh", "strategy.attention.chunk=8")
    assert main(["verify", *[w for w in SMALL if w != "task=ner"], *words, f"hydra.run.dir={tmp_path / 'run'}"]) == 0
    check = json.loads((tmp_path / "run" / "result.json").read_text())["checks"]["the future"]
    assert check["passed"] is None
    assert "as attention=lsh declares: likelihoods" in check["detail"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [STRIDED, YARN, RMT, HAT, STRUCTURED, SHIFTED])
def test_without_a_fault_nothing_fails(words, failed):
    assert failed(*words) == {}


def test_a_halved_window(failed, monkeypatch):
    monkeypatch.setattr(Local, "plans", patterned(near(4)))
    assert "does not depend on token" in failed(*LOCAL)["reaches what it should"]


@pytest.mark.slow
def test_a_window_off_by_one(failed, monkeypatch):
    monkeypatch.setattr(Local, "plans", patterned(near(9), window=9))
    assert "attention=local wider" in failed(*LOCAL)["reaches nothing else"]
    monkeypatch.setattr(Local, "plans", patterned(near(7)))
    assert set(failed(*LOCAL)) == {"reaches what it should", "every layer", "every head", "dense attention"}


@pytest.mark.slow
def test_a_missing_global_token(failed, monkeypatch):
    monkeypatch.setattr(Local, "plans", patterned(near(8, num_global=0), num_global=0))
    assert "special token 0" in failed(*LOCAL)["reaches what it should"]


@pytest.mark.slow
def test_a_stride_off_by_one(failed, monkeypatch):
    honest = Strided.plans
    monkeypatch.setattr(Strided, "plans", lambda part, *sizes: honest(Strided(part.window, 12), *sizes))
    assert {"reaches what it should", "reaches nothing else"} <= set(failed(*STRIDED))


FIXED = ("model=tiny_bert", "strategy=sparse_transformer", "strategy/attention=fixed", "strategy.attention.stride=16",
         "strategy.attention.num_summary=2")  # fmt: skip


@pytest.mark.by_default(1)
@pytest.mark.parametrize("words", [STRIDED, FIXED])
def test_patterns_in_the_other_half_of_the_heads(words, failed, monkeypatch):
    """The tokens that a token depends on are the same, so that no other check can find it."""
    for part in (Strided, Fixed):
        honest = part.plans
        monkeypatch.setattr(part, "plans", lambda part, *sizes, honest=honest: honest(part, *sizes)[::-1])
    found = failed(*words)
    assert set(found) == {"every head", "dense attention"}
    assert "in layer 1, head 1, token" in found["every head"]


def test_a_mask_that_is_not_registered(failed, monkeypatch):
    honest = Sparse._attend

    def forgetful(part, module, query, key, value, attention_mask, **kwargs):
        ready = part._prepare(masks.from_tensor(query, key, None, causal=False))
        return honest(part, module, query, key, value, ready, **kwargs)

    monkeypatch.setattr(Sparse, "_attend", forgetful)
    found = failed(*LLAMA)
    assert "causality is lost" in found["reaches nothing else"]
    assert "padding" in found


def test_rotary_positions_set_after_the_model_was_built(failed, monkeypatch):
    honest = TinyLlama.build

    def late(source, head, labels, configure=None):
        model = honest(source, head, labels)
        configure(model.config)
        return model

    monkeypatch.setattr(TinyLlama, "build", late)
    monkeypatch.setattr(Rotary, "_check_active", lambda *_: None)
    found = failed(*YARN)
    assert "positions=yarn is not what the model uses" in found["positions"]
    assert "checkpoint" in found  # loaded from the config, they are active


@pytest.mark.slow
def test_a_table_filled_in_another_way(failed, monkeypatch):
    honest = Tile.extend

    def scrambled(part, model, length):
        honest(part, model, length)
        table = model.bert.embeddings.position_embeddings.weight
        table.data[70] += 0.01

    monkeypatch.setattr(Tile, "extend", scrambled)
    assert set(failed(*LOCAL)) == {"positions"}


@pytest.mark.slow
def test_padding_that_is_attended(failed, monkeypatch):
    broken(monkeypatch, lambda args, given: (args, {k: v for k, v in given.items() if k != "attention_mask"}))
    assert {"padding", "batches"} <= set(failed("model=tiny_bert", "strategy=chunk"))


def test_documents_that_share_a_batch_and_leak(failed, monkeypatch):
    def mixing(module, args, output):
        output.logits = output.logits + 1e-3 * output.logits.mean(0, keepdim=True)

    after(monkeypatch, lambda model: model.register_forward_hook(mixing))
    found = failed("model=tiny_bert", "strategy=chunk")
    assert {"documents", "batches", "reaches nothing else"} <= set(found)
    assert "leaks between windows or documents" in found["reaches nothing else"]


def test_a_reading_that_skips_tokens(failed, monkeypatch):
    honest = Chunk.windows
    monkeypatch.setattr(Chunk, "windows", lambda part, encoded, length: honest(part, encoded, length)[::2])
    found = failed("model=tiny_bert", "strategy=chunk", "context=64")
    assert "declares to cover every token" in found["windows"]
    assert {"gold", "labels"} <= set(found)


@pytest.mark.slow
def test_a_reading_whose_windows_are_too_long(failed, monkeypatch):
    honest = Chunk.windows
    monkeypatch.setattr(Chunk, "windows", lambda part, encoded, length: honest(part, encoded, 2 * length))
    assert "over 64" in failed("model=tiny_bert", "strategy=chunk", "context=64")["windows"]


def test_outputs_that_are_assigned_to_the_wrong_tokens(failed, monkeypatch):
    honest = Chunk.merge

    def shifted(part, windows, outputs, num_tokens):
        merged = honest(part, windows, outputs, num_tokens)
        return Merged(merged.outputs[[*range(1, num_tokens), 0]], merged.seen)

    monkeypatch.setattr(Chunk, "merge", shifted)
    assert "other tokens than they came from" in failed("model=tiny_bert", "strategy=chunk")["windows"]


@pytest.mark.slow
def test_a_text_that_is_not_the_document_s(failed, monkeypatch):
    honest = Truncate.windows

    def wrong(part, encoded, length):
        return [Window(w.input_ids, w.token_index - (w.token_index > 0)) for w in honest(part, encoded, length)]

    monkeypatch.setattr(Truncate, "windows", wrong)
    assert "does not have there" in failed("model=tiny_bert", "strategy=truncate", "context=64")["windows"]


@pytest.mark.slow
def test_gold_that_drops_out_of_the_answer(failed, monkeypatch):
    honest = NER.decode

    def dropping(task, document, encoded, merged):
        answer = honest(task, document, encoded, merged)
        kept = [i for i, seen in enumerate(answer.seen) if seen]
        return type(answer)(answer.id, [answer.answer[i] for i in kept], [True] * len(kept))

    monkeypatch.setattr(NER, "decode", dropping)
    assert "the others are not scored" in failed("model=tiny_bert", "strategy=truncate", "context=64")["gold"]


@pytest.mark.slow
def test_labels_that_are_lost_on_the_way(failed, monkeypatch):
    honest = Window.labels

    def lossy(window, encoded):
        labels = honest(window, encoded)
        labels[: len(labels) // 2] = -100
        return labels

    monkeypatch.setattr(Window, "labels", lossy)
    assert set(failed("model=tiny_bert", "strategy=chunk")) == {"labels"}


class Carrying(BaseMemory):
    """The mean output of a window, times a matrix, is added to every output of the next."""

    gradient_windows = 2

    def install(self, model):
        width = model.config.num_labels
        if attached(model, "memory") is None:
            attach(model, "memory", torch.nn.Linear(width, width, bias=False))
        self.module = attached(model, "memory")

    def start(self, batch_size):
        return torch.zeros(batch_size, self.module.in_features, dtype=self.module.weight.dtype)

    def step(self, forward, inputs, state):
        real = inputs["attention_mask"][..., None]
        outputs = forward(inputs).logits + self.module(state)[:, None]
        return outputs, self.carry((outputs * real).sum(1) / real.sum(1))

    def carry(self, state):
        return state

    def first(self, state, num_rows):
        return state[:num_rows]

    def detach(self, state):
        return state.detach()

    def reach(self, num_windows, num_layers):
        return torch.ones(num_windows, num_windows, dtype=torch.bool).tril().numpy()


class Forgetting(Carrying):
    def carry(self, state):
        return torch.zeros_like(state)


class Mixing(Carrying):
    def carry(self, state):
        return state.mean(0, keepdim=True).expand_as(state)


def remembering(monkeypatch, memory):
    """Replace the null memory by ``memory``."""
    honest = make_parts.make_strategy
    monkeypatch.setattr(make_parts, "make_strategy", lambda node: replace(honest(node), memory=memory()))


@pytest.mark.slow
def test_a_memory_that_carries_fails_nothing(failed, monkeypatch):
    remembering(monkeypatch, Carrying)
    assert failed(*CARRIED) == {}


def test_a_memory_that_is_not_carried(failed, monkeypatch):
    remembering(monkeypatch, Forgetting)
    found = failed(*CARRIED)
    assert "no effect in the next window: window 1 does not depend" in found["memory"]
    assert "memory" in found["learning"]


@pytest.mark.slow
def test_a_memory_that_crosses_documents(failed, monkeypatch):
    remembering(monkeypatch, Mixing)
    assert {"documents", "batches"} <= set(failed(*CARRIED))


@pytest.mark.slow
def test_memory_tokens_that_restart_in_every_window(failed, monkeypatch):
    honest = Recurrent.step
    monkeypatch.setattr(
        Recurrent, "step", lambda part, forward, inputs, state: (honest(part, forward, inputs, state)[0], state)
    )
    assert "no effect in the next window" in failed(*RMT)["memory"]


@pytest.mark.slow
def test_a_cache_that_is_empty(failed, monkeypatch):
    honest = SegmentCache.step
    monkeypatch.setattr(SegmentCache, "step", lambda part, forward, inputs, _: honest(part, forward, inputs, None))
    assert "no effect in the next window" in failed(*XL)["memory"]


@pytest.mark.slow
def test_windows_that_are_not_joined(failed, monkeypatch):
    monkeypatch.setattr(WindowEncoder, "add_output", lambda *_: None)
    found = failed(*HAT)
    assert "no effect in the next window" in found["memory"]
    assert "reading" in found["learning"]


@pytest.mark.slow
def test_a_memory_that_has_no_second_window(failed):
    found = failed(*RMT[:2], "strategy.reading.window=96")
    assert "Make strategy.reading.window smaller" in found["memory"]


def test_one_layer_that_looks_too_far(failed, monkeypatch):
    """Through a global token everything is reached in two layers, so that only the check of single layers finds it."""

    def beyond(module, args, output):
        states = output[0] if isinstance(output, tuple) else output
        states = states + 1e-6 * states.roll(-30, dims=1)
        return (states, *output[1:]) if isinstance(output, tuple) else states

    after(monkeypatch, lambda model: model.bert.encoder.layer[1].register_forward_hook(beyond))
    assert "in layer 2" in failed(*LOCAL)["every layer"]


def test_a_checkpoint_that_forgets_a_part(failed, monkeypatch):
    honest = PreTrainedModel.save_pretrained

    def forgetful(model, folder, state_dict, **options):
        kept = {name: value for name, value in state_dict.items() if not name.startswith("ctxlab_parts")}
        honest(model, folder, state_dict=kept, **options)

    monkeypatch.setattr(PreTrainedModel, "save_pretrained", forgetful)
    remembering(monkeypatch, Carrying)
    found = failed(*CARRIED)
    assert set(found) == {"checkpoint"}
    assert "memory" in found["checkpoint"]


def after(monkeypatch, change):
    """Change the model after everything is installed."""
    honest = stage.open_bench

    def opened(*args, **kwargs):
        found = honest(*args, **kwargs)
        change(found.bench.model)
        return found

    monkeypatch.setattr(stage, "open_bench", opened)


def broken(monkeypatch, change):
    """Change the model's inputs."""
    after(monkeypatch, lambda m: m.register_forward_pre_hook(lambda _, a, k: change(a, k), with_kwargs=True))


def test_what_cannot_work_is_refused_as_in_training(refused, tmp_path):
    words = [word for word in SMALL if not word.startswith("context")]
    error = refused(["verify", *words, "model=tiny_bert", "strategy=yarn", "context=2048",
                     f"hydra.run.dir={tmp_path / 'run'}"])  # fmt: skip
    assert "positions=yarn" in error


@pytest.mark.slow
def test_global_keys_that_count_twice(failed, monkeypatch):
    """Tokens depend on the right ones with wrong weights: keys before a span are also part of it."""
    honest = masks._local

    def doubled(library, allowed, layout, extra, *, fill):
        seen = honest(library, allowed, layout, extra, fill=fill)
        first = seen[..., layout.lead : layout.lead + layout.left + 1]
        first[:, 0, :, -1:] |= seen[:, 0, :, :1]  # token 0 in the span of the first block
        return seen

    monkeypatch.setattr(masks, "_local", doubled)
    assert "dense attention" in failed(*LOCAL, "strategy.attention.window=2")


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0001, 0.5])
def test_scores_that_are_scaled_otherwise(scale, failed, monkeypatch):
    honest = Sparse._attend

    def scaled(part, module, query, *args, **kwargs):
        return honest(part, module, query * scale, *args, **kwargs)

    monkeypatch.setattr(Sparse, "_attend", scaled)
    assert set(failed(*LOCAL)) == {"dense attention"}


@pytest.mark.slow
def test_a_cache_that_is_a_key_short(failed, monkeypatch):
    monkeypatch.setattr(segment_cache, "keep_ends", lambda whole, first, last: caches.keep_ends(whole, first, last - 1))
    found = failed(*XL)
    assert set(found) == {"cached keys"}
    assert "window 1 has 31 cached keys of the 32 tokens before it, but 32 are declared" in found["cached keys"]


@pytest.mark.slow
def test_positions_with_a_gap_between_windows(failed, monkeypatch):
    """Rotary positions act by differences, so that within a window nothing is wrong."""
    honest = caches.forward_cached

    def gapped(forward, inputs, cached, start):
        return honest(forward, inputs, cached, start if cached is None else start + 1)

    monkeypatch.setattr(segment_cache, "forward_cached", gapped)
    found = failed(*XL)
    assert set(found) == {"cached keys"}
    assert "window 1 begins at position 33, but 32 tokens come before it" in found["cached keys"]


OVERLAP = ("model=tiny_bert", "strategy=chunk", "context=64", "strategy.reading.overlap_tokens=13")


@pytest.mark.slow
def test_outputs_that_are_no_mean_where_windows_overlap(failed, monkeypatch):
    assert failed(*OVERLAP, "strategy.reading.merge=mean") == {}

    def added(windows, outputs, num_tokens):
        """Weights that add up to 1, one of them negative."""
        one, other = (
            merging.first(windows[::step], outputs[::step], num_tokens).outputs for step in (1, -1)
        )  # fmt: skip
        merged = merging.mean(windows, outputs, num_tokens)
        return Merged((1.5 * one - 0.5 * other).astype(np.float32), merged.seen)

    monkeypatch.setitem(chunk.MERGE, "mean", added)
    found = failed(*OVERLAP, "strategy.reading.merge=mean")
    assert "but merging returns" in found["windows"]


@pytest.mark.slow
def test_a_last_window_that_is_lost_at_some_lengths(failed, monkeypatch):
    honest = Chunk.windows

    def short(part, encoded, length):
        windows = honest(part, encoded, length)
        own = int((windows[-1].token_index >= 0).sum())
        return windows[:-1] if len(windows) > 1 and own == part.overlap_tokens + 1 else windows

    monkeypatch.setattr(Chunk, "windows", short)
    assert "declares to cover every token" in failed(*OVERLAP)["windows"]


def test_evaluation_that_keeps_the_pattern_of_training(failed, monkeypatch):
    monkeypatch.setattr(Shifted, "reading", lambda _: nullcontext())
    assert set(failed(*SHIFTED)) == {"evaluation"}
