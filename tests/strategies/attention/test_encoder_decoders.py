"""A pattern in the encoder of an encoder-decoder: the decoder stays as it was, and T5's relative bias is kept."""

import copy
import inspect
import json
from unittest import mock

import pytest
import torch
import transformers as tf
from torch.testing import assert_close
from transformers.models.t5.modeling_t5 import T5Attention

from ctxlab.core.architecture import recompute_activations
from ctxlab.core.errors import UserError
from ctxlab.strategies.attention.dilated import Dilated
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.attention.local import Local
from ctxlab.strategies.attention.shifted import Shifted
from ctxlab.strategies.attention.strided import Strided
from tests.strategies.conftest import T5

BART = {
    "vocab_size": 60, "d_model": 32, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 200,
    "dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "init_std": 0.3, "pad_token_id": 0,
    "bos_token_id": 2, "eos_token_id": 1, "decoder_start_token_id": 2,
}  # fmt: skip
STACKS = T5 | {"num_decoder_layers": 1}
RELATIVE = ["t5", "mt5", "umt5"]
KINDS = [*RELATIVE, "bart", "mbart", "pegasus"]
PARTS = {
    "local": Local(6, 1),
    "dilated": Dilated(4, 3, 1),
    "strided": Strided(5, 7),
    "merged": Strided(5, 7, "merged"),
    "shifted": Shifted(16),
}
LENGTH, WRITTEN = 90, 9


def seq2seq(kind):
    torch.manual_seed(0)
    config = {
        "t5": lambda: tf.T5Config(**STACKS),
        "mt5": lambda: tf.MT5Config(**STACKS),
        "umt5": lambda: tf.UMT5Config(**STACKS),
        "bart": lambda: tf.BartConfig(**BART),
        "mbart": lambda: tf.MBartConfig(**BART),
        "pegasus": lambda: tf.PegasusConfig(**BART),
        "longt5": lambda: tf.LongT5Config(**STACKS, local_radius=5),
    }[kind]()
    return tf.AutoModelForSeq2SeqLM.from_config(config).eval()


def batch():
    torch.manual_seed(1)
    mask = torch.ones(2, LENGTH, dtype=torch.long)
    mask[1, 70:] = 0
    return torch.randint(5, 60, (2, LENGTH)), mask, torch.randint(5, 60, (2, WRITTEN))


def seen(part, mask):
    """(B, H, L, L): what each head may see; a query that sees nothing sees itself."""
    index = torch.arange(LENGTH)
    patterns = [part.allowed if part.wants_marks else part.pattern_of_head({}, 0, head, 4) for head in range(4)]
    heads = [pattern(index[:, None], index[None], LENGTH) for pattern in patterns]
    pairs = torch.stack(heads)[None] & mask[:, None, None, :].bool()
    return pairs | (~pairs.any(-1, keepdim=True) & torch.eye(LENGTH, dtype=torch.bool))


def under(model, pairs):
    """Logits of the library's own ``model``, whose encoder is given an explicit mask over all pairs."""
    ids, mask, written = batch()
    states = model.get_encoder()(input_ids=ids, attention_mask=pairs)
    return model(encoder_outputs=states, attention_mask=mask, decoder_input_ids=written).logits


def read(model):
    ids, mask, written = batch()
    return model(input_ids=ids, attention_mask=mask, decoder_input_ids=written).logits


@pytest.mark.by_default(5)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_library_under_a_dense_mask_in_the_encoder(kind, part):
    """Outputs and the gradients of all weights, those of the relative bias included."""
    model, reference = seq2seq(kind), seq2seq(kind)
    PARTS[part].install(model)
    found, expected = read(model), under(reference, seen(PARTS[part], batch()[1]))
    scale = max(1.0, float(expected.detach().abs().max()))
    assert_close(found, expected, atol=1e-5 * scale, rtol=0)
    assert (found - read(reference)).abs().max() > 1e-3 * scale
    weights = torch.randn_like(found)
    for logits in (found, expected):
        (logits * weights).sum().backward()
    owners = {name for name, weight in model.named_parameters() if "relative_attention_bias" in name}
    assert any("encoder" in name for name in owners) == (kind in RELATIVE)
    for (name, ours), theirs in zip(model.named_parameters(), reference.parameters(), strict=True):
        assert ours.grad is not None or theirs.grad is None, name
        if theirs.grad is not None:
            assert_close(ours.grad, theirs.grad, atol=1e-4 * max(1.0, float(theirs.grad.abs().max())), rtol=0, msg=name)
            assert name not in owners or theirs.grad.abs().max() > 0


@pytest.mark.parametrize("kind", RELATIVE)
def test_no_bias_over_all_pairs_is_ever_made(kind):
    model = seq2seq(kind)
    Local(6, 1).install(model)
    attention, sizes = type(model.encoder.block[0].layer[0].SelfAttention), []
    compute = attention.compute_bias

    def counted(module, query_length, key_length, *args, **kwargs):
        sizes.append((module.is_decoder, query_length, key_length))
        return compute(module, query_length, key_length, *args, **kwargs)

    with mock.patch.object(attention, "compute_bias", counted):
        read(model).sum().backward()
    assert [size[1:] for size in sizes if not size[0]] == [
        (1, 2 * LENGTH - 1)
    ] * 2  # UMT5 has one in each layer, T5 reads its one in both
    assert {size[1:] for size in sizes if size[0]} == {(WRITTEN, WRITTEN)}


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_encoder_is_changed(kind):
    model = seq2seq(kind)
    before = model.config._attn_implementation
    Local(6, 2).install(model)
    encoder, decoder = model.get_encoder(), model.get_decoder()
    assert encoder.config._attn_implementation == "ctxlab_local_6_2"
    assert {decoder.config._attn_implementation, model.config._attn_implementation} == {before}
    owners = {name for name, module in model.named_modules() if getattr(module, "config", None) is encoder.config}
    assert owners
    assert all("encoder" in name for name in owners)
    Full().install(model)
    with torch.no_grad():
        assert torch.equal(read(model), read(seq2seq(kind)))


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_saves_and_reloads_as_before(kind, tmp_path):
    model = seq2seq(kind)
    Local(6, 2).install(model)
    model.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved["ctxlab"]["attention"] == {"name": "local", "window": 6, "num_global": 2}
    again = tf.AutoModelForSeq2SeqLM.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        assert torch.equal(read(again), read(seq2seq(kind)))  # the pattern is code: whoever loads installs it
        Local(6, 2).install(again)
        assert torch.equal(read(again), read(model))


HEADS = {
    "t5 model": lambda: tf.T5Model(tf.T5Config(**STACKS)),
    "t5 encoder": lambda: tf.T5EncoderModel(tf.T5Config(**STACKS)),
    "t5 sequences": lambda: tf.T5ForSequenceClassification(tf.T5Config(**STACKS | {"eos_token_id": 50})),
    "t5 answers": lambda: tf.T5ForQuestionAnswering(tf.T5Config(**STACKS | {"num_labels": 2})),
    "mt5 tokens": lambda: tf.MT5ForTokenClassification(tf.MT5Config(**STACKS)),
    "umt5 tokens": lambda: tf.UMT5ForTokenClassification(tf.UMT5Config(**STACKS)),
    "umt5 encoder": lambda: tf.UMT5EncoderModel(tf.UMT5Config(**STACKS)),
    "bart model": lambda: tf.BartModel(tf.BartConfig(**BART)),
    "bart sequences": lambda: tf.BartForSequenceClassification(tf.BartConfig(**BART | {"eos_token_id": 50})),
}


@pytest.mark.parametrize("head", HEADS)
def test_works_with_every_head(head):
    """With a decoder or without; some heads read the end of the text."""
    model = HEADS[head]().eval()
    ids, mask, _ = batch()
    ids[ids == 50] = 51
    ids[0, -1] = ids[1, 69] = 50
    with torch.no_grad():
        before = model(input_ids=ids, attention_mask=mask, **extra(model))[0]
        Local(6, 1).install(model)
        after = model(input_ids=ids, attention_mask=mask, **extra(model))[0]
        Local(LENGTH, 1).install(model)
        covering = model(input_ids=ids, attention_mask=mask, **extra(model))[0]
    real = mask.bool() if before.shape[1] == LENGTH else slice(None)
    assert (after - before)[real].abs().max() > 1e-3
    assert_close(covering[real], before[real], atol=1e-4, rtol=1e-4)


def extra(model):
    takes = "decoder_input_ids" in inspect.signature(model.forward).parameters
    return {"decoder_input_ids": batch()[0]} if takes and "Sequence" not in type(model).__name__ else {}


def test_a_copy_uses_its_own_weights():
    model = seq2seq("t5")
    Local(6, 1).install(model)
    copied = copy.deepcopy(model)
    weight = copied.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
    with torch.no_grad():
        assert torch.equal(read(copied), read(model))
        weight += torch.randn_like(weight)
        assert not torch.equal(read(copied), read(model))


@pytest.mark.parametrize("reentrant", [False, True])
def test_gradient_checkpointing_keeps_the_gradient_of_the_bias(reentrant):
    gradients = []
    for checkpointing in (False, True):
        model = seq2seq("t5").train()
        Local(6, 1).install(model)
        if checkpointing:
            recompute_activations(model, reentrant=reentrant)
            model.enable_input_require_grads()
        read(model).pow(2).mean().backward()
        gradients.append({name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None})
    name = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    assert gradients[0][name].abs().max() > 0
    assert_close(gradients[1][name], gradients[0][name], atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_generates_as_the_library_where_the_window_covers_everything(kind):
    model, reference = seq2seq(kind), seq2seq(kind)
    Local(LENGTH, 1).install(model)
    ids, mask, _ = batch()
    options = {"attention_mask": mask, "max_new_tokens": 12, "do_sample": False}
    assert torch.equal(model.generate(ids, **options), reference.generate(ids, **options))


def test_dropout_of_a_t5_in_training_keeps_the_gradient_of_the_bias():
    config = tf.T5Config(**STACKS | {"dropout_rate": 0.2})
    model = tf.T5ForConditionalGeneration(config).train()
    Local(6, 1).install(model)
    read(model).pow(2).mean().backward()
    gradient = model.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight.grad
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


def test_bf16_autocast_stays_close():
    """Tolerance: layers of 8-bit mantissas."""
    model = seq2seq("t5")
    Local(6, 1).install(model)
    exact = read(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = read(model)
    rounded.float().sum().backward()
    assert (rounded.float() - exact).abs().max() < 0.1 * exact.abs().max()


def test_an_encoder_with_attention_of_its_own_is_refused_and_left_as_it_was():
    """LongT5 has a local pattern already, in code that does not go through the interface."""
    model = seq2seq("longt5")
    with torch.no_grad():
        before = read(model)
        with pytest.raises(UserError, match=r"would not take effect on model type `longt5` .0 of its 2 layers"):
            Local().install(model)
        assert torch.equal(read(model), before)
    assert not hasattr(model.config, "ctxlab")


@pytest.mark.parametrize("missing", ["decoder", "layer"])
def test_half_an_installation_is_refused(missing, monkeypatch):
    """Planted faults: the decoder takes the pattern too, or a layer of the encoder bypasses it."""
    model = seq2seq("bart")
    if missing == "decoder":
        monkeypatch.setattr("ctxlab.strategies.attention.kernels.interface._give_config", lambda stack, config: None)
    else:
        last = model.get_encoder().layers[1].self_attn
        monkeypatch.setattr(last, "config", copy.deepcopy(model.config))
    with pytest.raises(UserError, match="would not take effect"):
        Local().install(model)
    assert model.get_encoder().config is model.config
    assert model.config._attn_implementation == "sdpa"
    assert not hasattr(model.config, "ctxlab")


def test_another_attention_function_gets_the_bias_of_the_library():
    model = seq2seq("t5")
    Local(6, 1).install(model)
    attention = model.encoder.block[0].layer[0].SelfAttention
    assert not isinstance(attention.compute_bias(4, 4), torch.Tensor)
    assert isinstance(attention.compute_bias(4, 5), torch.Tensor)
    model.encoder.set_attn_implementation("eager")
    assert torch.equal(attention.compute_bias(4, 4), T5Attention.compute_bias(attention, 4, 4))
