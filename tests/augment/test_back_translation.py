"""``augment=back_translation``: what becomes of a document, and whole runs."""

import json

import pytest
import torch

from ctxlab.augment.back_translation import BackTranslation
from ctxlab.cli import main
from ctxlab.core.augmentation import changed
from ctxlab.core.errors import UserError
from ctxlab.core.types import Document
from ctxlab.stages import train
from ctxlab.tasks.classification import Classification
from ctxlab.workbench.augmenting import check_fits
from ctxlab.workbench.translating import FILE, _append, _read
from tests.augment.documents import OF_ALL
from tests.training.runs import make_job, stopped_and_resumed


def made(**changes):
    return BackTranslation(**{"there": "a", "back": "b", "share": 1.0, **changes})


def test_a_text_becomes_its_translation_and_places_in_it_are_left_out():
    task, augmentation = Classification(["x", "y"]), made()
    augmentation.take_translations({"one": "eins", "two": " ", "three": "three"})
    document = Document("d", {"text": "one", "gold": ("x",), "probes": [{"start": 0, "end": 3}]}, "here")
    assert changed(augmentation, document, task, seed=1, epoch=0).fields == {"text": "eins", "gold": ("x",)}
    for text in ("two", "three", "four"):  # empty, unchanged and unknown
        other = Document("d", {"text": text, "gold": ("x",)}, "here")
        assert changed(augmentation, other, task, seed=1, epoch=0) is other


def test_which_tasks_it_fits():
    fits = set()
    for kind, documents in OF_ALL.items():
        try:
            check_fits(made(), documents(1)[0])
            fits.add(kind)
        except UserError:
            continue
    assert fits == {"classification", "nli", "summarization"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"there": None}, r"needs two runs with task=translation: augment\.there="), ({"share": 2}, "share=2 is out of")],
)
def test_bad_options(changes, said):
    with pytest.raises(UserError, match=said):
        made(**changes)


def test_a_line_that_was_cut_short_is_made_again(tmp_path):
    file = tmp_path / FILE
    _append(file, "a", "x\u2028y")
    _append(file, "b", "z")
    file.write_text(file.read_text()[:-4])
    assert _read(file) == {"a": "x\u2028y"}
    _append(file, "b", "z")
    assert _read(file) == {"a": "x\u2028y", "b": "z"}
    assert _read(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("stage", "task", "said"),
    [(None, None, "augment.there={} is not the directory of a run"), ("eval", "ner", "={} is no training run"),
     ("train", "ner", "={} is a run of task=ner: give one of task=translation")],
)  # fmt: skip
def test_a_translating_run_that_is_not_there_is_refused_before_documents_are_read(
    stage, task, said, tmp_path, capsys, monkeypatch
):
    other, run = tmp_path / "other", tmp_path / "run"
    other.mkdir()
    if stage:
        assert main(["train", f"task={task}", "model=tiny_bert", "--cfg", "job"]) == 0
        (other / "config.yaml").write_text(capsys.readouterr().out.replace("stage: train", f"stage: {stage}"))
    monkeypatch.setattr(train, "load_documents", lambda *_, **__: pytest.fail("documents were read"))
    assert main(["train", "task=classification", "model=tiny_bert", "augment=back_translation",
                 f"augment.there={other}", f"augment.back={other}", f"hydra.run.dir={run}"]) == 2  # fmt: skip
    assert said.format(other) in capsys.readouterr().err
    assert not run.exists()


@pytest.mark.slow
def test_runs_translate_once_and_a_resumed_run_is_the_same(tmp_path, capsys):
    """Oracle of the texts: ``ctxlab predict`` with one run, then with the other."""
    for name in ("there", "back"):
        options = ["task=translation", "model=tiny_t5", "strategy=chunk", "context=64", "task.instruction=",
                   "task.decoding.max_new_tokens=5", "data.documents=4", "data.validation_documents=1",
                   "data.test_documents=0", "data.words_per_document=40", "trainer.max_steps=2", "tracking=none",
                   f"seed={len(name)}", "trainer.precision=fp32"]  # fmt: skip
        assert main(["train", *options, f"hydra.run.dir={tmp_path / name}"]) == 0
    runs = [f"augment.{name}={tmp_path / name}" for name in ("there", "back")]
    options = ("task=classification", "augment=back_translation", *runs, "trainer.max_steps=3")
    whole = make_job(tmp_path / "whole", *options)
    texts = [document.fields["text"] for document in whole.documents.train]
    whole.run()
    made_once = (tmp_path / "whole" / FILE).read_text()

    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"source": text}) + "\n" for text in texts))
    for name, source, target in (("there", "texts", "middle"), ("back", "middle", "found")):
        assert main(["predict", f"run={tmp_path / name}", f"input={tmp_path}/{source}.jsonl",
                     f"output={tmp_path}/{target}.jsonl", "task.source_field=source"]) == 0  # fmt: skip
        rows = [json.loads(line) for line in (tmp_path / f"{target}.jsonl").read_text().splitlines()]
        (tmp_path / f"{target}.jsonl").write_text(
            "".join(json.dumps({"source": r["text"] or " "}) + "\n" for r in rows)
        )
    assert sorted(_read(tmp_path / "whole" / FILE).values()) == sorted(row["text"] for row in rows)

    _, second = stopped_and_resumed(tmp_path / "cut", *options, stop_after=1)
    assert (tmp_path / "cut" / FILE).read_text() == made_once
    expected, found = whole.weights(), second.weights()
    assert all(torch.equal(expected[key], found[key]) for key in expected)

    capsys.readouterr()
    for changes, said in (
        ([f"augment.there={tmp_path}/nowhere"], "nowhere is not the directory of a run"),
        ([f"augment.there={tmp_path}/whole"], "augment.there="),
        (["task=ner"], "needs documents with labels of the whole only"),
    ):
        assert main(["train", *options, "model=tiny_bert", "tracking=none", *changes,
                     f"hydra.run.dir={tmp_path}/no"]) == 2  # fmt: skip
        assert said in capsys.readouterr().err
        assert not (tmp_path / "no").exists()
