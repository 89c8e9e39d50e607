"""``knowledge=gazetteer``: marks of words, and whole runs."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.core.types import FIRST_KNOWN
from ctxlab.knowledge.gazetteer import Gazetteer
from ctxlab.tasks.classification import Classification
from ctxlab.training import checkpoint
from tests.stages.conftest import result, train
from tests.training.runs import make_job, stopped_and_resumed

ENTRIES = "New York\tLOC\nNew York Times\tORG\nYork\tLOC\nAda\tPER\nAda\tLOC\n"


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "names.tsv"
    path.write_text(ENTRIES)
    return path


def test_words_are_marked_as_bio_for_each_type(names):
    marker = Gazetteer(str(names)).marker
    assert marker.types == ["LOC", "ORG", "PER"]
    words = ["Ada", "read", "the", "New", "York", "Times", "in", "York"]
    expected = {"LOC": "B O O B I O O B", "ORG": "O O O B I I O O", "PER": "B O O O O O O O"}
    marks = marker(words)
    for place, name in enumerate(marker.types):
        bits = ["O", "B", "I"]
        own = (marks >> (FIRST_KNOWN + 2 * place)) & 3
        assert [bits[bit] for bit in own] == expected[name].split()
    assert marks.dtype == np.int64


def test_the_largest_number_of_types_fits_a_mark(tmp_path):
    path = tmp_path / "names.tsv"
    path.write_text("".join(f"a b\tT{index:02}\n" for index in range(29)))
    marks = Gazetteer(str(path)).marker(["a", "b"])
    assert [bin(int(mark)).count("1") for mark in marks] == [29, 29]
    assert (marks > 0).all()


def test_other_entries_are_other_tokens_in_the_cache(names):
    first = Gazetteer(str(names)).marker.key
    names.write_text(ENTRIES + "Bo\tPER\n")
    assert Gazetteer(str(names)).marker.key != first


def test_tasks_without_words_are_refused(names):
    with pytest.raises(UserError, match="marks words, which task=classification does not label"):
        Gazetteer(str(names)).teach(Classification(["a", "b"]))
    with pytest.raises(UserError, match=r"needs knowledge\.file=<file"):
        Gazetteer()


def corpus(folder):
    """Names are at random places and look alike: only the list tells them from other words, and their types."""
    draw = np.random.default_rng(0)
    for name, count in (("train", 12), ("validation", 4)):
        documents = []
        for index in range(count):
            tags = draw.choice(["O", "O", "B-LOC", "B-PER"], 30).tolist()
            tokens = [f"w{number}" for number in draw.integers(10**8, size=30)]
            documents.append({"id": f"{name}{index}", "tokens": tokens, "tags": tags})
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in documents))
        yield from (
            (token, tag[2:]) for one in documents for token, tag in zip(one["tokens"], one["tags"], strict=True)
        )


def test_a_run_learns_saves_and_uses_the_marks(tmp_path, capsys):
    """The same run to the step without the list, but for what the list adds; evaluated and predicted with it."""
    entries = sorted({f"{token}\t{name}\n" for token, name in corpus(tmp_path) if name})
    (tmp_path / "names.tsv").write_text("".join(entries))
    options = [f"data.{name}_file={tmp_path}/{name}.jsonl" for name in ("train", "validation")]
    options += ["strategy=chunk", "optimizer.lr=0.01", "trainer.max_steps=30"]
    known = [*options, "knowledge=gazetteer", f"knowledge.file={tmp_path}/names.tsv"]
    assert train(tmp_path / "with", *known) == train(tmp_path / "without", *options) == 0
    found, other = (result(tmp_path / name)["metrics"]["validation"]["f1"] for name in ("with", "without"))
    assert found > 0.9 > 0.8 > other
    folder = checkpoint.find(tmp_path / "with", "latest")
    assert load_file(folder / "model.safetensors")["ctxlab_parts.knowledge.vectors"].abs().sum() > 0

    run = f"run={tmp_path}/with"
    assert main(["eval", run, "tracking=none", f"hydra.run.dir={tmp_path}/again"]) == 0
    assert result(tmp_path / "again")["metrics"]["validation"]["f1"] == found
    capsys.readouterr()
    assert main(["eval", run, "tracking=none", "knowledge=none"]) == 2
    assert "was trained with knowledge=gazetteer: leave knowledge= out" in capsys.readouterr().err
    (tmp_path / "more.tsv").write_text("Ada\tPERS\n")
    assert main(["eval", run, "tracking=none", f"knowledge.file={tmp_path}/more.tsv"]) == 2
    assert "has the type 'PERS', for which the model was not trained; did you mean 'PER'" in capsys.readouterr().err
    assert main(["eval", f"run={tmp_path}/without", "tracking=none", "knowledge=gazetteer",
                 f"knowledge.file={tmp_path}/names.tsv"]) == 2  # fmt: skip
    assert "was trained without this knowledge part" in capsys.readouterr().err


@pytest.mark.slow
def test_a_resumed_run_is_the_same(tmp_path, names):
    names.write_text("the\tX\n.\tY\n")  # in every generated document
    options = ("knowledge=gazetteer", f"knowledge.file={names}", "trainer.max_steps=3")
    whole = make_job(tmp_path / "whole", *options)
    whole.run()
    _, second = stopped_and_resumed(tmp_path / "cut", *options, stop_after=1)
    expected, found = whole.weights(), second.weights()
    assert expected["ctxlab_parts.knowledge.vectors"].abs().sum() > 0
    assert all(torch.equal(expected[key], found[key]) for key in expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["strategy=rmt"], "knowledge=gazetteer does not work with strategy/memory=recurrent, which embeds"),
        (["knowledge.file=nowhere.tsv"], "knowledge.file=nowhere.tsv does not exist"),
    ],
)  # fmt: skip
def test_what_does_not_work_is_refused_without_a_directory(tmp_path, names, capsys, options, message):
    assert train(tmp_path / "run", "knowledge=gazetteer", f"knowledge.file={names}", *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
