"""Scores times log(n) / log(reference): n keys that a query sees, whatever else is in the batch."""

import math
from types import SimpleNamespace

import pytest
import torch
import transformers as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import bidirectional_mask_function, causal_mask_function, eager_mask

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.models.tiny_t5 import TinyT5
from ctxlab.runtime.cost import FlopCounter
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.attention.scaled import Scaled
from ctxlab.strategies.positions.tile import Tile
from tests.strategies.conftest import VOCABULARY

KINDS = ["bert", "roberta", "distilbert", "electra", "albert", "modernbert", "llama", "gpt2", "t5"]
DECODERS = ["llama", "gpt2"]


def by_hand(query, key, value, padding, causal, scaling, part):
    """In float64, query by query: (B, H, L, D); queries that see nothing are left at zero."""
    groups = query.shape[1] // key.shape[1]
    output = torch.zeros(*query.shape[:3], value.shape[-1], dtype=torch.float64)
    for row, real in enumerate(padding):
        for head in range(query.shape[1]):
            for i in range(query.shape[2]):
                seen = [j for j in real.nonzero().flatten().tolist() if j <= i or not causal]
                if not seen:
                    continue
                factor = math.log(len(seen)) / math.log(part.reference)
                factor = factor if part.shorter else max(factor, 1.0)
                scores = key[row, head // groups, seen] @ query[row, head, i] * scaling * factor
                output[row, head, i] = scores.softmax(0) @ value[row, head // groups, seen]
    return output


@st.composite
def cases(draw):
    length, batch, key_heads = draw(st.integers(1, 24)), draw(st.integers(1, 3)), draw(st.sampled_from([1, 2]))
    padding = torch.ones(batch, length, dtype=torch.bool)
    side = draw(st.sampled_from(["none", "right", "left"]))
    for row in range(batch if side != "none" else 0):
        lost = draw(st.integers(0, length - 1))
        padding[row, slice(length - lost, None) if side == "right" else slice(0, lost)] = False
    return SimpleNamespace(
        length=length,
        heads=key_heads * draw(st.sampled_from([1, 3])),
        key_heads=key_heads,
        padding=padding,
        padded=side != "none",
        causal=draw(st.booleans()),
        scaling=draw(st.sampled_from([None, 0.8])),
        part=Scaled(draw(st.integers(2, 30)), draw(st.booleans())),
        seed=draw(st.integers(0, 10_000)),
    )


def run(case, dtype=torch.float32):
    """Outputs and gradients of the part and by hand, padding queries aside."""
    torch.manual_seed(case.seed)
    inputs = [torch.randn(len(case.padding), heads, case.length, 5).to(dtype)
              for heads in (case.heads, case.key_heads, case.key_heads)]  # fmt: skip
    real = case.padding[:, None, :, None]
    upstream = torch.randn(inputs[0].shape).to(dtype) * real
    mask = case.part._mask(
        len(case.padding),
        case.length,
        case.length,
        mask_function=causal_mask_function if case.causal else bidirectional_mask_function,
        attention_mask=case.padding if case.padded else None,
        allow_is_causal_skip=case.causal,
        allow_is_bidirectional_skip=not case.causal,
    )
    ours = [tensor.clone().requires_grad_() for tensor in inputs]
    module = SimpleNamespace(is_causal=case.causal, num_key_value_groups=case.heads // case.key_heads)
    output = case.part._attend(module, *ours, mask, scaling=case.scaling)[0].transpose(1, 2)
    output.backward(upstream)
    theirs = [tensor.double().requires_grad_() for tensor in inputs]
    expected = by_hand(*theirs, case.padding, case.causal, case.scaling or 5**-0.5, case.part)
    expected.backward(upstream.double())
    return [output * real, *(one.grad for one in ours)], [expected * real, *(one.grad for one in theirs)]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(cases())
def test_equals_attention_with_that_factor_by_hand(case):
    for ours, theirs in zip(*run(case), strict=True):
        assert_close(ours.double(), theirs, atol=1e-5, rtol=1e-5)


def example(**changes):
    padding = torch.ones(3, 24, dtype=torch.bool)
    padding[1, 11:] = False
    padding[2, :19] = False
    base = {"length": 24, "heads": 6, "key_heads": 2, "padding": padding, "padded": True, "causal": False,
            "scaling": None, "part": Scaled(4), "seed": 1}  # fmt: skip
    return SimpleNamespace(**base | changes)


def test_in_bf16():
    for ours, theirs in zip(*run(example(), torch.bfloat16), strict=True):
        assert_close(ours.double(), theirs, atol=0.05 * max(1.0, float(theirs.detach().abs().max())), rtol=0)


def test_the_factor_is_that_of_the_paper_with_s_of_the_reference():
    keys = torch.tensor([1, 2, 512, 8192, 512**2])
    assert Scaled(512, shorter=True).sharpening(keys).tolist() == pytest.approx(
        [0.0, math.log(2) / math.log(512), 1.0, math.log(8192) / math.log(512), 2.0]
    )
    assert Scaled(512).sharpening(keys).tolist() == pytest.approx([1, 1, 1, math.log(8192) / math.log(512), 2.0])


def oracle_in(model, part):
    """The same model with attention written out, from the library's own additive mask."""

    def attend(module, query, key, value, mask, scaling=None, position_bias=None, **kwargs):
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        seen = mask > -1 if mask is not None else torch.ones(1, 1, query.shape[2], key.shape[2], dtype=torch.bool)
        factor = torch.log(seen.sum(-1, keepdim=True).float()) / math.log(part.reference)
        factor = factor if part.shorter else factor.clamp(min=1)
        scores = query @ key.transpose(2, 3) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
        scores = scores if position_bias is None else scores + position_bias
        weights = (scores * factor).masked_fill(~seen, -torch.inf).softmax(-1).nan_to_num(0)
        return (weights @ value).transpose(1, 2).contiguous(), None

    AttentionInterface.register("by_hand", attend)
    AttentionMaskInterface.register("by_hand", eager_mask)
    model.set_attn_implementation("by_hand")
    return model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [Scaled(6), Scaled(40, shorter=True)], ids=["sharper", "flatter"])
def test_a_model_has_the_outputs_of_attention_written_out(tiny, kind, part):
    ids = torch.randint(3, VOCABULARY, (2, 30), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 13:] = 0
    given = {"input_ids": ids, "attention_mask": mask}
    model, plain = tiny(kind), oracle_in(tiny(kind), part)
    usual = model(**given).logits
    part.install(model)
    found, real = model(**given).logits, mask.bool()
    assert_close(found[real], plain(**given).logits[real], atol=1e-4, rtol=1e-4)
    assert (found - usual)[real].abs().max() > 1e-3
    alone = model(input_ids=ids[1:, :13], attention_mask=mask[1:, :13]).logits
    assert_close(found[1, :13], alone[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", DECODERS)
def test_text_is_generated_with_a_cache_as_without_and_left_padded_as_alone(kind):
    sizes = {"vocab_size": 60, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "initializer_range": 0.3}
    torch.manual_seed(0)
    model = {
        "llama": lambda: tf.LlamaForCausalLM(tf.LlamaConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                                                           num_attention_heads=4, num_key_value_heads=2, **sizes)),
        "gpt2": lambda: tf.GPT2LMHeadModel(tf.GPT2Config(n_embd=32, n_layer=2, n_head=4, **sizes)),
    }[kind]().eval()  # fmt: skip
    Scaled(5).install(model)
    ids = torch.randint(3, 60, (2, 14), generator=torch.Generator().manual_seed(3))
    mask = torch.ones_like(ids)
    ids[1, :6], mask[1, :6] = 0, 0
    options = {"max_new_tokens": 8, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
    options |= {"eos_token_id": None, "pad_token_id": 0}
    cached, plain = (
        model.generate(input_ids=ids, attention_mask=mask, use_cache=use, **options) for use in (True, False)
    )
    alone = model.generate(input_ids=ids[1:, 6:], attention_mask=mask[1:, 6:], **options)
    assert torch.equal(cached.sequences, plain.sequences)
    assert_close(torch.stack(cached.logits), torch.stack(plain.logits), atol=1e-4, rtol=0)
    assert_close(torch.stack(cached.logits)[:, 1], torch.stack(alone.logits)[:, 0], atol=1e-4, rtol=0)


def test_within_the_reference_it_is_full_attention_and_says_so(tiny):
    model, plain = tiny("bert"), tiny("bert")
    part = Scaled()
    part.fit(64)
    part.install(model)
    Full().install(plain)
    assert part.reference == 512
    assert "changes nothing in windows of 64 tokens" in part.idle
    ids = torch.arange(3, 43)[None]
    assert torch.equal(model(ids).logits, plain(ids).logits)
    part.fit(513)
    assert not part.idle
    flatter = Scaled(512, shorter=True)
    flatter.fit(64)
    assert not flatter.idle


SMALL = ["task=ner", "model=tiny_bert", "strategy=log_scaled", "data.documents=2", "data.validation_documents=1",
         "data.test_documents=0", "data.words_per_document=40", "data.evidence_distance=[6]", "trainer.max_steps=1",
         "trainer.precision=fp32", "tracking=none", "model.hidden_size=32", "model.num_layers=1"]  # fmt: skip


def test_training_where_nothing_is_scaled_is_refused(tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["train", *SMALL, "context=256", f"hydra.run.dir={run}"]) == 2
    *_, refusal = capsys.readouterr().err.strip().splitlines()
    assert refusal.startswith("strategy/attention=scaled changes nothing in windows of 256 tokens")
    assert refusal.endswith("reference=1024 keys: give a longer context, or use strategy/attention=full.")
    assert not run.exists()


@pytest.mark.slow
def test_evaluation_where_nothing_is_scaled_notes_it(tmp_path):
    small = ["context=40", "strategy.attention.reference=20"]
    assert main(["train", *SMALL, *small, f"hydra.run.dir={tmp_path / 'run'}"]) == 0
    assert main(["eval", f"run={tmp_path / 'run'}", "context=16", f"hydra.run.dir={tmp_path / 'eval'}"]) == 0
    for folder, said in (("run", False), ("eval", True)):
        report = (tmp_path / folder / "report.md").read_text()
        assert ("changes nothing in windows of 16 tokens" in report) == said


def test_the_trained_length_is_that_before_the_extension_and_of_the_checkpoint(tiny):
    model, part = tiny("bert", 32), Scaled()
    Tile().extend(model, 100)
    part.fit(100)
    part.install(model)
    assert model.config.ctxlab["attention"] == {"name": "scaled", "reference": 32, "shorter": False}
    Tile().extend(model, 200)  # a checkpoint that is read at a greater length
    again = Scaled()
    again.install(model)
    assert again.reference == 32


def test_it_costs_what_full_attention_costs(tiny):
    counted, ids = [], torch.arange(3, 53)[None]
    for part in (Full(), Scaled(8)):
        model = tiny("llama")
        part.install(model)
        with FlopCounter() as counter:
            model(ids)
        counted.append(counter.total)
        assert part.pairs(50) == 2500
    assert counted[0] == counted[1] > 0


def test_models_without_a_trained_length_need_a_reference():
    model = TinyT5(hidden_size=32).build("token_classification", ["O"])
    with pytest.raises(UserError, match=r"positions of model type `t5` have none: give strategy.attention.reference"):
        Scaled().install(model)
    Scaled(100).install(model)
    assert model.config.ctxlab["attention"]["reference"] == 100


def test_a_reference_without_a_logarithm_is_refused():
    with pytest.raises(UserError, match=r"^strategy.attention.reference=1 must be at least 2: [^\n]*\.$"):
        Scaled(1)


def test_a_mask_of_numbers_is_refused_not_counted():
    query = torch.randn(1, 2, 4, 4)
    with pytest.raises(NotImplementedError, match="how many keys"):
        Scaled(2)._attend(SimpleNamespace(is_causal=False), query, query, query, torch.zeros(1, 1, 4, 4))


def test_the_config_reloads_with_the_model(tmp_path):
    model = TinyLlama(hidden_size=32).build("token_classification", ["O"])
    Scaled(16, shorter=True).install(model)
    model.save_pretrained(tmp_path)
    saved = tf.AutoConfig.from_pretrained(tmp_path)
    assert saved.ctxlab["attention"] == {"name": "scaled", "reference": 16, "shorter": True}
