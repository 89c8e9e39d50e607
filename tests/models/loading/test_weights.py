"""What loads, what is refused, and the state of a loaded model and its tokenizer."""

import json
import logging

import huggingface_hub
import pytest
import torch
import transformers as tf
from safetensors.torch import load_file, save_file

from ctxlab.core.errors import UserError
from ctxlab.models.loading.checkpointed import Checkpointed
from ctxlab.models.loading.heads import auto_class
from ctxlab.models.pretrained import Pretrained
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_gpt2 import TinyGpt2
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.models.tiny_t5 import TinyT5

HEAD = "token_classification"
LABELS = ["O", "B-PER", "I-PER"]


@pytest.fixture
def saved(tmp_path):
    """Folder of a tiny model with its head, and its tokenizer."""
    source = TinyBert(hidden_size=32, trained_length=64, vocabulary="letters")
    source.build(HEAD, LABELS).save_pretrained(tmp_path / "model")
    source.tokenizer().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def headless(tmp_path):
    """Folder of the same model as it is published: without a head."""
    TinyBert(hidden_size=32, trained_length=64).build(HEAD, LABELS).bert.save_pretrained(tmp_path / "base")
    TinyBert().tokenizer().save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def logits(model):
    with torch.no_grad():
        return model(input_ids=torch.arange(5, 45)[None]).logits


def test_a_checkpoint_reloads_to_the_same_logits(saved):
    model = Checkpointed(str(saved)).build(HEAD, LABELS)
    assert torch.equal(
        logits(model), logits(TinyBert(hidden_size=32, trained_length=64, vocabulary="letters").build(HEAD, LABELS))
    )
    assert not model.training
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert model.config.id2label == dict(enumerate(LABELS))
    assert Checkpointed(str(saved)).labels() == LABELS
    text = "The Élan of 42 quick-brown foxes"
    tokenizer = TinyBert(vocabulary="letters").tokenizer()
    assert Checkpointed(str(saved)).tokenizer()(text).input_ids == tokenizer(text).input_ids


@pytest.mark.parametrize("source", [TinyBert, TinyLlama, TinyGpt2, TinyT5])
@pytest.mark.parametrize("vocabulary", ["bytes", "letters"])
@pytest.mark.parametrize("text", ["The Élan of 42", " and then", "北京 is", ["The", "fox", "北", "京"]])
def test_a_run_and_its_checkpoint_read_the_same_tokens(source, vocabulary, text, tmp_path):
    made = source(vocabulary=vocabulary, hidden_size=32)
    made.build(HEAD, LABELS).config.save_pretrained(tmp_path)
    tokenizer = made.tokenizer()
    tokenizer.save_pretrained(tmp_path)
    split = isinstance(text, list)
    loaded = Pretrained(str(tmp_path)).tokenizer()
    assert loaded(text, is_split_into_words=split).input_ids == tokenizer(text, is_split_into_words=split).input_ids


def test_a_checkpoint_of_other_labels_is_refused(saved):
    with pytest.raises(UserError, match=r"trained for the labels O, B-PER, I-PER, not for O, B-ORG"):
        Checkpointed(str(saved)).build(HEAD, ["O", "B-ORG"])


def test_a_checkpoint_without_its_head_is_refused(headless):
    config = json.loads((headless / "config.json").read_text())
    config |= {"id2label": {str(i): name for i, name in enumerate(LABELS)}}
    (headless / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"lacks 2 weights.*classifier"):
        Checkpointed(str(headless)).build(HEAD, LABELS)


def test_a_new_head_follows_the_global_seed_and_nothing_is_said(headless, caplog, capsys):
    models = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        models.append(Pretrained(str(headless)).build(HEAD, LABELS))
    first, same, other = (model.classifier.weight for model in models)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert torch.equal(models[0].bert.encoder.layer[0].output.dense.weight,
                       models[2].bert.encoder.layer[0].output.dense.weight)  # fmt: skip
    assert first.std().item() == pytest.approx(0.02, rel=0.5)
    assert caplog.text == ""
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_a_head_of_another_size_is_replaced(saved):
    model = Pretrained(str(saved)).build(HEAD, ["O", "B-X", "I-X", "B-Y", "I-Y"])
    assert model.classifier.weight.shape == (5, 32)
    assert model.config.num_labels == 5


@pytest.mark.parametrize("fault", ["missing", "resized"])
def test_weights_other_than_the_heads_must_be_there(saved, fault):
    weights = load_file(saved / "model.safetensors")
    name = "bert.encoder.layer.1.output.dense.weight"
    weights = {key: weight for key, weight in weights.items() if key != name or fault == "resized"}
    if fault == "resized":
        weights[name] = weights[name][:, :5].contiguous()
    save_file(weights, saved / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=rf"lacks 1 weights .*{name}"):
        Pretrained(str(saved)).build(HEAD, LABELS)


def test_pickled_weights_are_not_loaded(saved):
    weights = load_file(saved / "model.safetensors")
    (saved / "model.safetensors").unlink()
    torch.save(weights, saved / "pytorch_model.bin")
    with pytest.raises(UserError, match="no safetensors weights"):
        Pretrained(str(saved)).build(HEAD, LABELS)


def test_code_beside_the_weights_never_runs(saved):
    """Transformers does not even prompt for trust: the type is unknown, so the model is refused."""
    trap = saved / "ran"
    (saved / "configuration_trap.py").write_text(f"open({str(trap)!r}, 'w')\nclass TrapConfig: ...\n")
    config = json.loads((saved / "config.json").read_text())
    config |= {"model_type": "trap", "auto_map": {"AutoConfig": "configuration_trap.TrapConfig"}}
    (saved / "config.json").write_text(json.dumps(config))
    for call in (Pretrained(str(saved)).tokenizer, lambda: Pretrained(str(saved)).build(HEAD, LABELS)):
        with pytest.raises(UserError, match="type `trap`"):
            call()
    assert not trap.exists()


def test_a_truncated_weights_file_is_one_sentence(saved):
    data = (saved / "model.safetensors").read_bytes()
    (saved / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="does not load"):
        Pretrained(str(saved)).build(HEAD, LABELS)


@pytest.mark.parametrize("path", ["/no/such/folder", "./no/such", "~/no-such-folder", "a/b/c"])
def test_a_missing_folder_is_named(path):
    with pytest.raises(UserError, match=f"model.path={path} is not a folder"):
        Pretrained(path).tokenizer()


@pytest.mark.parametrize("path", ["nobody/nothing-here", "not a valid id!"])
def test_an_unreachable_hub_id_is_one_sentence(path, monkeypatch):
    def no_network(repo, **_):
        if " " in repo:
            raise huggingface_hub.errors.HFValidationError("bad id")
        raise huggingface_hub.errors.LocalEntryNotFoundError("offline")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", no_network)
    for call in (Pretrained(path).tokenizer, lambda: Pretrained(path).build(HEAD, LABELS)):
        with pytest.raises(UserError, match=r"neither a local folder nor a hub id.*make setup.*model.path=<folder>"):
            call()


def test_a_hub_id_is_fetched_without_code_or_pickles(saved, monkeypatch):
    asked = {}

    def download(repo, **options):
        asked.update(options, repo=repo)
        return str(saved)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    Pretrained("someone/something").build(HEAD, LABELS)
    assert asked["repo"] == "someone/something"
    kept = huggingface_hub.utils.filter_repo_objects(
        ["model.safetensors", "config.json", "vocab.txt", "pytorch_model.bin", "modeling.py", "onnx/model.safetensors"],
        allow_patterns=asked["allow_patterns"],
        ignore_patterns=asked["ignore_patterns"],
    )
    assert list(kept) == ["model.safetensors", "config.json", "vocab.txt"]


def test_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(UserError, match=r"no readable config.json"):
        Pretrained(str(tmp_path)).tokenizer()


@pytest.mark.slow
def test_a_slow_tokenizer_is_refused(tmp_path):
    tf.CanineConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2).save_pretrained(tmp_path)
    tf.CanineTokenizer().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="has no fast tokenizer"):
        Pretrained(str(tmp_path)).tokenizer()


def test_no_tokenizer_at_all(saved):
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (saved / file).unlink()
    (saved / "config.json").write_text(json.dumps({"model_type": "roberta"}))
    with pytest.raises(UserError, match="tokenizer"):
        Pretrained(str(saved)).tokenizer()


def test_nothing_in_a_saved_tokenizer_cuts_or_pads(saved):
    backend = TinyBert(vocabulary="letters").tokenizer().backend_tokenizer
    backend.enable_truncation(8)
    backend.enable_padding(length=10)
    tf.PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", model_max_length=8
    ).save_pretrained(saved)
    assert tf.AutoTokenizer.from_pretrained(saved).backend_tokenizer.truncation is not None
    loaded = Pretrained(str(saved)).tokenizer()
    # The backend first: the library's own call would reset it.
    assert [len(encoding.ids) for encoding in loaded.backend_tokenizer.encode_batch(["a " * 5000, "b"])] == [5002, 3]
    assert [len(ids) for ids in loaded(["a " * 5000, "b"]).input_ids] == [5002, 3]
    assert loaded.model_max_length > 10**9


def byte_level(folder, kind):
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4, "Ġ": 5, "a": 6, "b": 7, "Ġa": 8}
    vocabulary["<|endoftext|>"] = 9
    if kind == "plain":
        backend = tf.RobertaTokenizer(vocab=vocabulary, merges=[("Ġ", "a")]).backend_tokenizer
        tokenizer = tf.PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", pad_token="<pad>")
        tf.ModernBertConfig().save_pretrained(folder)
    else:
        tokenizer = getattr(tf, kind)(vocab=vocabulary, merges=[("Ġ", "a")])
        (tf.RobertaConfig() if kind == "RobertaTokenizer" else tf.GPT2Config()).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.mark.parametrize("kind", ["RobertaTokenizer", "GPT2Tokenizer", "plain"])
def test_words_of_byte_level_tokenizers_begin_with_a_space(tmp_path, kind):
    byte_level(tmp_path, kind)
    tokenizer = Pretrained(str(tmp_path)).tokenizer()
    pieces = tokenizer(["a", "ab"], is_split_into_words=True, add_special_tokens=False)
    assert tokenizer.convert_ids_to_tokens(pieces.input_ids) == ["Ġa", "Ġa", "b"]
    assert pieces.word_ids() == [0, 1, 1]
    tokenizer.save_pretrained(tmp_path)
    again = Pretrained(str(tmp_path)).tokenizer()
    assert again(["a", "ab"], is_split_into_words=True, add_special_tokens=False).input_ids == pieces.input_ids


def test_wordpiece_is_left_alone(saved):
    pieces = Pretrained(str(saved)).tokenizer()(["the", "fox"], is_split_into_words=True)
    assert pieces.tokens() == ["[CLS]", "th", "##e", "fo", "##x", "[SEP]"]


def test_an_unknown_head():
    with pytest.raises(UserError, match="head `dancing` of the task is not one of token_classification"):
        auto_class("dancing")


def test_an_architecture_without_such_a_head(tmp_path):
    config = tf.T5Config(vocab_size=30, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    tf.ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    vision = tf.ViTModel(tf.ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16))
    vision.save_pretrained(tmp_path)
    assert config.model_type == "t5"
    with pytest.raises(UserError, match="type vit has no token_classification head"):
        Pretrained(str(tmp_path)).build(HEAD, LABELS)


def test_the_config_can_be_changed_before_the_model_is_built(headless):
    """Some things (rotary positions) take effect only there."""

    def configure(config):
        config.hidden_act = "relu"

    model = Pretrained(str(headless)).build(HEAD, LABELS, configure)
    assert isinstance(model.bert.encoder.layer[0].intermediate.intermediate_act_fn, torch.nn.ReLU)


def dropouts(model):
    """The dropout rates in use outside attention."""
    attention = [m.p for n, m in model.named_modules() if n.endswith("attention.self.dropout")]
    others = [m.p for n, m in model.named_modules()
              if isinstance(m, torch.nn.Dropout) and not n.endswith("attention.self.dropout")]  # fmt: skip
    return set(attention), set(others)


def test_dropout_is_the_models_own_and_none_in_attention(headless, caplog):
    assert dropouts(Pretrained(str(headless)).build(HEAD, LABELS)) == ({0.0}, {0.1})
    assert dropouts(Pretrained(str(headless), dropout=0.3).build(HEAD, LABELS)) == ({0.0}, {0.3})
    assert "more than twenty times" not in caplog.text
    with caplog.at_level(logging.WARNING):
        model = Pretrained(str(headless), dropout=0.0, attention_dropout=0.2).build(HEAD, LABELS)
    assert dropouts(model) == ({0.2}, {0.0})
    assert "more than twenty times" in caplog.text


@pytest.mark.parametrize("options", [{"dropout": 1.0}, {"dropout": -0.1}, {"attention_dropout": 2}])
def test_rates_outside_their_range(headless, options):
    name, rate = next(iter(options.items()))
    with pytest.raises(UserError, match=f"model.{name}={rate} must be at least 0 and below 1"):
        Pretrained(str(headless), **options).build(HEAD, LABELS)


def test_the_name_is_what_was_loaded():
    assert Pretrained("someone/some-model").name == "some-model"
    assert Pretrained("/models/mine/").name == "mine"
    assert Pretrained("someone/some-model", name="mine").name == "mine"
