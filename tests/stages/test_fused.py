"""Windows read together by a decoder, through the real command: train, evaluate, predict over several documents."""

import pytest

import ctxlab
from ctxlab.cli import main
from ctxlab.core.data import Record
from ctxlab.runtime.pieces import divide
from ctxlab.runtime.pieces import run as step
from ctxlab.serving.progress import _windows
from tests.stages.conftest import result, train

WRITES = ("task=summarization", "model=tiny_t5", "model.vocabulary=letters", "strategy=fusion_in_decoder",
          "strategy.reading.window=64", "context=160", "data.documents=2", "data.validation_documents=1",
          "data.test_documents=1", "data.words_per_document=90", "data.evidence_distance=[20]",
          "task.decoding.max_new_tokens=4", "trainer.max_steps=2", "trainer.tokens_per_step=512")  # fmt: skip
CONTEXTS = [{"title": "Ada", "text": "Ada sailed to Halden . " * 12}, "It rained . " * 30]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fused") / "run"
    assert train(folder, *WRITES) == 0
    return folder


def test_training_reads_all_of_a_document_and_scores_one_text_each_group(run):
    found = result(run)
    assert found["coverage"]["test"] == {"tokens": 1.0, "labels": 1.0, "characters": 1.0}
    assert 0 <= found["cost"]["padding_share"] < 0.5
    assert found["metrics"]["test"]["rouge1"] >= 0


def test_what_a_limit_leaves_out_is_not_covered(run, tmp_path):
    command = ["eval", f"run={run}", "split=test", "strategy.reading.max_windows=1", f"hydra.run.dir={tmp_path / 'e'}"]
    assert main(command) == 0
    assert 0 < result(tmp_path / "e")["coverage"]["test"]["tokens"] < 0.8


def test_an_evaluation_with_another_strategy_reads_windows_apart(run, tmp_path):
    command = ["eval", f"run={run}", "split=test", "strategy=chunk", "context=64", f"hydra.run.dir={tmp_path / 'e'}"]
    assert main(command) == 0
    assert result(tmp_path / "e")["strategy"] == "chunk"


def test_several_documents_are_summarised_as_one_and_alone_as_in_a_batch(run):
    loaded = ctxlab.load(run)
    asked = [{"id": "a", "contexts": CONTEXTS}, {"id": "b", "document": "It rained . "}]
    together = loaded.predict(asked)
    assert [line["share_read"] for line in together] == [1.0, 1.0]
    assert together == [loaded.predict([one])[0] for one in asked]


def test_a_window_without_room_for_the_document_is_refused_in_one_sentence(tmp_path, capsys):
    words = [*WRITES, "task=qa", "strategy.reading.window=40"]
    given = [word for word in words if not word.startswith(("task=summ", "strategy.reading.window=64"))]
    assert train(tmp_path / "run", *given) == 2
    *_, sentence = capsys.readouterr().err.strip().splitlines()
    assert sentence.startswith("strategy.reading.window=40 leaves no room")
    assert not (tmp_path / "run").exists()


def test_one_pass_at_a_time_as_a_server_reads_it(run):
    answerer = ctxlab.load(run)._bench.answerer()
    (encoded,) = answerer.encode(answerer.documents([Record({"id": "a", "contexts": CONTEXTS}, "a")]))
    pieces = divide(answerer.reader, encoded)
    sizes = [len(_windows(unit)) for unit in pieces.units]
    assert len(sizes) > 1  # groups of 160 tokens
    assert max(sizes) > 1
    while pieces.passes:
        step(answerer.reader, [pieces])
    (expected,) = answerer.reader.read([encoded])
    generated = [text.token_ids.tolist() for text in pieces.merged(answerer.reader).generated]
    assert generated == [text.token_ids.tolist() for text in expected.generated]


def test_a_teacher_that_reads_windows_apart_is_refused(run, tmp_path, capsys):
    words = [word for word in WRITES if not word.startswith(("strategy", "context"))]
    words += ["strategy=chunk", "context=64", "objective=distill", f"objective.run={run}"]
    assert train(tmp_path / "run", *words) == 2
    assert "either both decoders read several together or neither does" in capsys.readouterr().err
