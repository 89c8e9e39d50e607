"""``ctxlab export``: bundles that ``eval`` and ``predict`` read as the run itself, and what is refused."""

import json
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import onnx
import pytest
import torch

from ctxlab.cli import main
from ctxlab.command.compose import compose
from ctxlab.config import catalogue
from ctxlab.config.build import build
from ctxlab.core import bundle
from ctxlab.core.errors import UserError
from ctxlab.core.runtime import Runtime
from ctxlab.core.strategy import Attention
from ctxlab.export.onnx import Onnx
from ctxlab.export.pt2 import Pt2
from ctxlab.export.tracing.archive import pickled_parts
from ctxlab.export.tracing.trace import trace
from ctxlab.runtime.engines.onnx import Onnx as OnnxRuntime
from ctxlab.runtime.engines.torch import Torch
from ctxlab.runtime.exported_model import ExportedModel, Outputs
from ctxlab.workbench.exporting import parity, refusals, session
from ctxlab.workbench.exporting.settings import naming, settings
from ctxlab.workbench.parts import make_parts
from tests.stages.conftest import result, train
from tests.strategies.attention.kernels.test_exported import part

CONTEXT = 64
SMALL = ("model.num_layers=1", f"context={CONTEXT}", "data.words_per_document=60", "data.evidence_distance=[10]")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A training run of one layer, whose windows are shorter than its documents."""
    folder = tmp_path_factory.mktemp("exported") / "the-run"
    assert train(folder, *SMALL, "strategy=chunk") == 0
    return folder


@pytest.fixture(scope="module")
def exported(run) -> Path:
    """Its bundle in ONNX, which tests must not change."""
    folder = run.parent / "export"
    assert main(["export", f"run={run}", "tracking=none", f"hydra.run.dir={folder}"]) == 0
    return folder / bundle.FOLDER


@pytest.fixture
def copy(exported, tmp_path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copied" / "anywhere"))


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_eval_of_a_moved_bundle_gives_the_figures_and_records_of_the_run(run, copy, tmp_path):
    folder = tmp_path / "e"
    assert main(["eval", f"run={copy}", "runtime=onnx", "split=test", "tracking=none", f"hydra.run.dir={folder}"]) == 0
    found, wanted = result(folder), result(run)
    assert found["metrics"]["test"] == wanted["metrics"]["test"]
    assert found["coverage"]["test"] == wanted["coverage"]["test"]
    assert lines(folder / "predictions" / "test.jsonl") == lines(run / "predictions" / "test.jsonl")
    assert found["cost"].get("parameters") is None
    assert any("runtime=onnx" in note for note in found["notes"])


@pytest.mark.slow
def test_predict_writes_the_lines_of_the_run(run, exported, tmp_path):
    source = tmp_path / "docs.jsonl"
    texts = ["Ada Lovelace lived in Port Brisk. " * 20, "Short."]
    source.write_text("".join(json.dumps({"id": str(i), "text": text}) + "\n" for i, text in enumerate(texts)))
    for name, start, runtime in (("run", run, "torch"), ("bundle", exported.parent, "onnx")):
        words = [f"run={start}", f"runtime={runtime}", f"input={source}", f"output={tmp_path / name}", "tracking=none"]
        assert main(["predict", *words, f"hydra.run.dir={tmp_path / f'{name}-dir'}"]) == 0
    assert lines(tmp_path / "bundle") == lines(tmp_path / "run")


@pytest.mark.slow
def test_a_shorter_context_works_and_a_longer_one_is_refused(exported, tmp_path, refused):
    folder = tmp_path / "e"
    words = ["eval", f"run={exported}", "runtime=onnx", "tracking=none"]
    assert main([*words, "context=32", f"hydra.run.dir={folder}"]) == 0
    assert result(folder)["context_length"] == 32
    error = refused([*words, "context=128", f"hydra.run.dir={tmp_path / 'l'}"])
    assert "context.length=128" in error
    assert "context=64 or less" in error
    assert not (tmp_path / "l").exists()


def test_no_file_names_this_machine_or_has_a_document(run, exported):
    first = json.loads(lines(run / "predictions" / "validation.jsonl")[0])["tokens"]
    phrase = " ".join(first[:3])
    unwanted = [
        str(run),
        str(run.parent),
        str(Path.home()),
        sys.prefix,
        str(Path.cwd()),
        "site-packages",
        '.py"',
        phrase,
    ]
    assert naming(exported, unwanted) == {}
    assert {path.name for path in exported.iterdir()} >= {"model.onnx", "tokenizer.json", "config.json", "parity.json"}
    model = onnx.load(exported / "model.onnx")
    assert not model.metadata_props
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert not any(value.metadata_props or value.doc_string for value in model.graph.value_info)
    assert model.opset_import[0].version == bundle.read(exported).details["opset"]


def test_a_run_with_few_held_out_documents_leaves_no_reference(exported, tmp_path, refused):
    assert not (exported / bundle.REFERENCE).exists()
    stream = tmp_path / "s.jsonl"
    stream.write_text('{"text": "Ada lived in Port Brisk."}\n')
    words = ["monitor", f"run={exported}", "runtime=onnx", f"input={stream}", "tracking=none"]
    assert "has no reference.json, because its run had fewer than 20" in refused(
        [*words, f"hydra.run.dir={tmp_path / 'm'}"]
    )


@pytest.mark.slow
def test_the_reference_of_the_held_out_documents_is_in_the_bundle_and_monitors_use_it(tmp_path):
    """Oracle: the reference that a monitor of the run itself makes of the same documents."""
    run, stream = tmp_path / "run", tmp_path / "s.jsonl"
    assert train(run, *SMALL, "strategy=chunk", "data.validation_documents=12", "data.test_documents=12") == 0
    stream.write_text('{"text": "Ada lived in Port Brisk."}\n')
    folder = tmp_path / "export"
    words = ["export", f"run={run}", "documents=2", "tracking=none", f"hydra.run.dir={folder}"]
    assert main(words) == 0
    saved = json.loads((folder / bundle.FOLDER / bundle.REFERENCE).read_text())
    assert bundle.REFERENCE in json.loads((folder / bundle.FOLDER / "manifest.json").read_text())
    made = {}
    for name, start, runtime in (("run", run, "torch"), ("bundle", folder, "onnx")):
        words = [f"run={start}", f"runtime={runtime}", f"input={stream}", f"output={tmp_path / name / 'm'}"]
        words += ["trainer.precision=fp32", "tracking=none", f"hydra.run.dir={tmp_path / name / 'd'}"]
        assert main(["monitor", *words]) in (0, 4)
        made[name] = json.loads((tmp_path / name / "m" / "reference.json").read_text())
    assert made["bundle"] == saved
    assert saved["num_documents"] == made["run"]["num_documents"] == 24
    for figure, values in made["run"]["figures"].items():
        assert saved["figures"][figure] == pytest.approx(values, abs=1e-5)


def test_parity_is_what_was_measured(run, exported):
    found = json.loads((exported / bundle.PARITY).read_text())
    assert found["windows"]["lengths"] == [1, 2, CONTEXT]
    assert 0 <= found["windows"]["largest_difference"] <= 1e-4
    assert found["windows"]["labels_compared"] == sum(length * 2 + (length + 1) // 2 for length in (1, 2, CONTEXT))
    documents = found["documents"]
    assert (documents["label_flips"], documents["records_that_differ"]) == (0, 0)
    assert documents["f1"]["run"] == documents["f1"]["exported"] == round(result(run)["metrics"]["validation"]["f1"], 4)
    assert "threads" in found["machine"]


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "config.json", "settings.json", "parity.json"])
def test_a_flipped_byte_is_refused_by_name(copy, name, tmp_path, refused):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{name} is damaged"):
        bundle.read(copy)
    if name == "model.onnx":
        words = ["eval", f"run={copy}", "runtime=onnx", f"hydra.run.dir={tmp_path / 'e'}"]
        assert "model.onnx is damaged" in refused(words)
        assert not (tmp_path / "e").exists()


def test_a_flipped_byte_of_the_facts_or_the_manifest_is_refused(copy):
    for name in (bundle.FILE, "manifest.json"):
        other = Path(shutil.copytree(copy, copy.parent / f"with-other-{name}"))
        content = bytearray((other / name).read_bytes())
        content[-5] ^= 1
        (other / name).write_bytes(content)
        with pytest.raises(UserError, match="is not a whole bundle"):
            bundle.read(other)


def test_a_bundle_of_another_version_is_refused(copy):
    facts = json.loads((copy / bundle.FILE).read_text())
    (copy / bundle.FILE).write_text(json.dumps({**facts, "version": bundle.VERSION + 1}))
    with pytest.raises(UserError, match=rf"of version 2, and ctxlab {version('ctxlab')} reads version 1"):
        bundle.read(copy)


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["eval", "run={run}", "runtime=onnx"], "ctxlab export run="),
        (["eval", "run={bundle}"], "give runtime=onnx"),
        (["eval", "run={bundle}", "runtime=onnx", "strategy=longformer"], "was exported with strategy=chunk"),
        (["eval", "run={bundle}", "runtime=onnx", "trainer.precision=bf16"], "computes on the CPU in fp32"),
        (["verify", "run={bundle}"], "give ctxlab verify the training run"),
        (["export"], "needs run: add run=<run directory>"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_what_does_not_fit_is_refused_in_one_sentence(run, exported, words, wanted, tmp_path, refused):
    filled = [word.format(run=run, bundle=exported) for word in words]
    assert wanted in refused([*filled, "tracking=none", f"hydra.run.dir={tmp_path / 'e'}"])
    assert not (tmp_path / "e").exists()


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (
            "strategy=reformer",
            "strategy/attention=lsh cannot be exported, as .*: adaptive_span, bigbird, .* full, local",
        ),
        ("strategy=structured", "strategy/attention=structured cannot be exported"),
        ("strategy=rmt", "strategy/memory=recurrent cannot be exported, .*: train with strategy/memory=none"),
        ("strategy=hierarchical", "strategy/reading=hierarchical cannot be exported, .*: strategy/reading=chunk"),
        ("strategy=sparse_transformer strategy.attention.heads=merged", "heads=split can be exported"),
    ],
)
def test_a_strategy_that_cannot_be_exported_is_named_with_those_that_can(words, wanted, tmp_path):
    parts = make_parts(compose("export", ["run=null", "tracking=none", *words.split()]), tmp_path)
    with pytest.raises(UserError, match=wanted):
        refusals.check_parts(parts)


def test_missing_libraries_are_named_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for part_of_extra in (Onnx(), OnnxRuntime()):
        with pytest.raises(UserError, match=r"onnxruntime, which is not installed: pip install 'ctxlab\[export\]'"):
            part_of_extra.check()


@pytest.mark.slow
def test_outputs_that_differ_end_the_command_without_a_bundle(run, exported, tmp_path, refused, monkeypatch):
    """The model of the bundle stands in for a new one, with outputs that are off by twice the tolerance."""
    written = (exported / "model.onnx").read_bytes()
    monkeypatch.setattr(session, "_traced", lambda work: None)
    monkeypatch.setattr(Onnx, "write", lambda self, program, path: path.write_bytes(written) and {})
    plain = ExportedModel.forward

    def off(self, input_ids, attention_mask):
        found = plain(self, input_ids, attention_mask).logits.clone()
        found[..., 0] += 2 * parity.TOLERANCE
        return Outputs(found)

    monkeypatch.setattr(ExportedModel, "forward", off)
    words = ["export", f"run={run}", "tracking=none", f"hydra.run.dir={tmp_path / 'e'}"]
    assert "differs from the run: by up to 2.0e-04" in refused(words, status=1)
    assert not (tmp_path / "e" / bundle.FOLDER).exists()


@pytest.mark.slow
def test_int8_is_smaller_and_says_what_it_costs(run, exported, tmp_path, monkeypatch):
    written = (exported / "model.onnx").read_bytes()
    monkeypatch.setattr(session, "_traced", lambda work: None)
    monkeypatch.setattr(Onnx, "write", lambda self, program, path: path.write_bytes(written) and {})
    words = ["export", f"run={run}", "export.int8=true", "export.max_loss=1", f"hydra.run.dir={tmp_path / 'e'}"]
    assert main([*words, "tracking=none"]) == 0
    folder = tmp_path / "e" / bundle.FOLDER
    found = json.loads((folder / bundle.PARITY).read_text())["int8"]
    assert found["share_of_fp32_bytes"] == round((folder / "model.onnx").stat().st_size / len(written), 3) < 0.4
    assert found["largest_difference"] > 1e-4  # it is another model, and no longer the one of fp32
    assert 0 < found["label_agreement"] <= 1
    assert set(found["difference"]) == {"difference", "low", "high"}
    assert bundle.read(folder).int8
    kinds = {tensor.data_type for tensor in onnx.load(folder / "model.onnx").graph.initializer}
    assert onnx.TensorProto.INT8 in kinds


def test_the_settings_have_no_files_and_nothing_of_training(tmp_path):
    hidden = tmp_path / ".hydra"
    hidden.mkdir()
    words = ["task=ner", "model=pretrained", "model.path=/home/me/models/my-bert", "data.train_file=/home/me/a.jsonl",
             "data_seed=3", "optimizer.lr=1e-3", "+strategy.attention.window=8", "run=/home/me/run"]  # fmt: skip
    (hidden / "overrides.yaml").write_text(json.dumps(words))
    choices = {"task": "ner", "data": "files", "strategy/attention": "local", "optimizer": "adamw", "hydra/output": "x"}
    (hidden / "hydra.yaml").write_text(json.dumps({"hydra": {"runtime": {"choices": choices}}}))
    (hidden / "config.yaml").write_text(json.dumps({"task": {"name": "ner"}, "run": "/home/me/run"}))
    found = settings(tmp_path)
    assert found.overrides == ["task=ner", "model=pretrained", "model.path=my-bert", "+strategy.attention.window=8"]
    assert found.choices == {"task": "ner", "strategy/attention": "local"}
    assert not found.own_documents
    assert "/home" not in json.dumps([found.overrides, found.choices, found.config])


def test_differences_count_flips_and_leave_padding_out():
    found = parity.Difference()
    one = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [5.0, 9.0]]])
    other = one.clone()
    other[0, 1, 0] = 1.5  # another label
    other[0, 2] = -99  # padding
    found.add(one, other, torch.tensor([[True, True, False]]))
    assert (found.largest, found.flips, found.compared) == (1.5, 1, 2)
    assert not found.within


class Tiny(torch.nn.Module):
    """Outputs that depend on all tokens that are shown."""

    config = None

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(50, 4)

    def forward(self, input_ids, attention_mask):
        states = self.table(input_ids) * attention_mask[..., None]
        return Outputs(states + states.sum(1, keepdim=True))


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> tuple[Tiny, Path]:
    torch.manual_seed(0)
    model, path = Tiny().eval(), tmp_path_factory.mktemp("pt2") / "model.pt2"
    Pt2().write(trace(model, 40, 50), path)
    return model, path


def test_an_archive_of_torch_computes_every_length_and_has_no_pickle(archive):
    model, path = archive
    assert pickled_parts(path) == []
    for text in (b"site-packages", b"test_export", b"stack_trace"):
        assert text not in path.read_bytes()
    found = parity.try_lengths(model, ExportedModel(Torch().open(path), None), part("full"), longest=40, vocabulary=50)
    assert found.within
    assert found.compared == sum(length * 2 + (length + 1) // 2 for length in (1, 2, 40))


def test_an_archive_with_pickle_or_noise_is_refused(tmp_path):
    plain = torch.export.export(torch.nn.Linear(2, 2), (torch.ones(1, 2),))
    torch.export.save(plain, tmp_path / "with.pt2")  # with the example inputs, pickled
    with pytest.raises(UserError, match="as pickle, which is never read"):
        Torch().open(tmp_path / "with.pt2")
    (tmp_path / "noise.pt2").write_bytes(b"noise")
    with pytest.raises(UserError, match="is not an archive of torch"):
        Torch().open(tmp_path / "noise.pt2")
    with pytest.raises(UserError, match="not a model that onnxruntime can load"):
        OnnxRuntime().open(tmp_path / "noise.pt2")


def test_a_step_that_depends_on_the_text_is_named():
    class Chooses(Tiny):
        config = type("Config", (), {"model_type": "chooser"})

        def forward(self, input_ids, attention_mask):
            if bool((input_ids > 3).all()):
                return super().forward(input_ids, attention_mask)
            return Outputs(torch.zeros(1))

    with pytest.raises(UserError, match="model type `chooser` cannot be exported"):
        trace(Chooses(), 40, 50)


def exportable() -> list[str]:
    return [name for name in catalogue.options("strategy/attention") if part(name).unexportable is None]


@pytest.mark.slow
@pytest.mark.parametrize("name", exportable())
@pytest.mark.parametrize(("exporter", "runtime"), [(Onnx(), "onnx"), (Pt2(), "torch")], ids=["onnx", "pt2"])
def test_every_exportable_part_at_every_length(name, exporter, runtime, tmp_path):
    """Defaults of the parts, random weights; the oracle is the model in torch, whose kernels have their own tests."""
    from transformers import BertConfig, BertForTokenClassification

    longest = 4096
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 32}
    config = BertConfig(vocab_size=50, max_position_embeddings=longest, num_labels=5, **sizes)
    model = BertForTokenClassification(config).eval()
    attention = build(catalogue.read(catalogue.option_file("strategy/attention", name)), Attention)
    attention.fit(longest)
    attention.install(model)
    engine = build(catalogue.read(catalogue.option_file("runtime", runtime)), Runtime)
    path = tmp_path / engine.file
    with attention.reading(), attention.exporting(longest):
        exporter.write(trace(model, longest, 50), path)
    assert naming(tmp_path, [str(Path.cwd()), sys.prefix]) == {}
    other = ExportedModel(engine.open(path), config)
    assert parity.lengths(longest) == [1, 2, 127, 128, 129, 777, 4096]
    found = parity.try_lengths(model, other, attention, longest=longest, vocabulary=50)
    assert found.within
    assert found.flips == 0


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classification", "nli", "qa"])
def test_other_tasks_give_the_records_of_the_run(task, tmp_path):
    run, export, read = tmp_path / "run", tmp_path / "export", tmp_path / "read"
    words = (f"task={task}", "model.num_layers=1", "context=64", "strategy=chunk", "data.evidence_distance=[10]")
    assert train(run, *words) == 0
    assert main(["export", f"run={run}", "split=test", "tracking=none", f"hydra.run.dir={export}"]) == 0
    words = ["eval", f"run={export}", "runtime=onnx", "split=test", "tracking=none", f"hydra.run.dir={read}"]
    assert main(words) == 0
    assert lines(read / "predictions" / "test.jsonl") == lines(run / "predictions" / "test.jsonl")
    assert result(read)["metrics"]["test"] == result(run)["metrics"]["test"]
