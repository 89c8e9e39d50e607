"""Curricula that admit easy windows first: by hand, by counting, and against the model's own losses."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.core.errors import UserError
from ctxlab.core.types import NO_LABEL, Encoded, Window
from ctxlab.data.sampler import plan_epoch
from ctxlab.strategies.curriculum.competence import Competence
from ctxlab.strategies.curriculum.self_paced import SelfPaced
from ctxlab.training.stream import Stream
from tests.training.runs import make_job, stopped_and_resumed

PACED = ("trainer.max_epochs=3", "trainer.tokens_per_step=128", "data.documents=8", "data.validation_documents=1",
         "trainer.save_every_steps=1000")  # fmt: skip


def window(ids):
    return Window(np.asarray(ids, dtype=np.int64), np.arange(len(ids)))


def stream(texts, curriculum):
    documents = [Encoded(np.asarray(ids), np.arange(len(ids)), np.ones(len(ids), np.int64)) for ids in texts]
    return Stream(
        documents,
        lambda text, _: [window(text.input_ids)],
        lambda text, _: text,
        lambda item: list(range(len(item.windows))),
        tokens_per_step=8,
        seed=3,
        difficulty=curriculum.difficulty,
    )


def admitted(epoch):
    return sorted(epoch.items[i].document for step in epoch.steps for i in step)


def test_competence_grows_with_the_square_root():
    part = Competence(initial=0.1, until=0.5, stages=10)
    found = [part.share(progress) for progress in (0, 0.049, 0.05, 0.25, 0.449, 0.45, 0.5, 1)]
    roots = [math.sqrt(stage / 10 * 0.99 + 0.01) for stage in (0, 0, 1, 5, 8, 9)]
    assert found == pytest.approx([*roots, 1.0, 1.0])


def test_self_pacing_grows_in_equal_stages():
    part = SelfPaced(initial=0.2, until=1.0, stages=4)
    assert [part.share(progress) for progress in (0, 0.25, 0.5, 0.75, 1)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


@given(st.floats(0.01, 1), st.floats(0.01, 1), st.integers(1, 20), st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_the_share_never_falls_and_ends_with_all(initial, until, stages, places):
    for part in (Competence(initial, until, stages), SelfPaced(initial, until, stages)):
        shares = [part.share(progress) for progress in [0.0, *sorted(places), 1.0]]
        assert shares == sorted(shares)
        assert shares[0] == pytest.approx(initial)
        assert shares[-1] == 1


def test_rarity_is_what_counting_says():
    texts = [[1, 1, 2], [3], [1, 2, 4, 4], [1]]
    counts = Counter(token for text in texts for token in text)
    total = sum(counts.values())
    expected = [-sum(math.log(counts[token] / total) for token in text) for text in texts]
    found = Competence().difficulty([[window(text[:2]), window(text[2:])] for text in texts], None)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.51, 0.99])
def test_the_easiest_are_admitted_with_those_that_are_as_easy(share, reverse):
    texts = [[1] * size for size in (5, 2, 2, 7, 1, 3, 3, 4, 2)]
    sizes = [-len(text) if reverse else len(text) for text in texts]
    limit = sorted(sizes)[math.ceil(share * len(texts)) - 1]
    found = stream(texts, Competence(difficulty="length", reverse=reverse)).epoch(0, 8, share)
    assert admitted(found) == [i for i, size in enumerate(sizes) if size <= limit]
    assert found.share == len(admitted(found)) / len(texts)


@pytest.mark.parametrize(("curriculum", "share"), [(Competence(difficulty="length"), 0.1), (Competence(), 1.0)])
def test_equal_difficulty_and_the_whole_share_are_the_plain_order(curriculum, share):
    texts = [[i, i + 1, i + 2] for i in range(20)] if share == 1 else [[i] * 3 for i in range(20)]
    assert stream(texts, curriculum).epoch(2, 8, share).steps == plan_epoch([3] * 20, 8, 3, 2)


def test_a_run_admits_more_documents_from_stage_to_stage(tmp_path, monkeypatch):
    job = make_job(tmp_path / "run", *PACED, "strategy/curriculum=competence", "strategy.curriculum.stages=3",
                   "strategy.curriculum.initial=0.2")  # fmt: skip
    seen = []

    def counted(state, epoch, progress):
        seen.append((state.share, epoch.share))
        state.count_step(epoch.steps_per_pass)

    monkeypatch.setattr(job.trainer, "_step", counted)
    monkeypatch.setattr(job.trainer, "_save", lambda _: None)
    monkeypatch.setattr(job.trainer, "_evaluate", lambda *_: False)
    job.run()
    shares = [math.sqrt(stage / 3 * 0.96 + 0.04) for stage in range(3)]
    assert sorted({share for share, _ in seen}) == pytest.approx([*shares, 1.0])
    assert all(share <= part < share + 0.1 for share, part in seen)
    assert job.state.epochs == pytest.approx(3, abs=0.2)


def test_self_pacing_goes_by_the_losses_of_the_model(tmp_path):
    """Of the model before its first step, each document by itself; the first stage lasts the whole run."""
    job = make_job(tmp_path / "run", *PACED[1:], "trainer.max_steps=1", "strategy/curriculum=self_paced",
                   "strategy.curriculum.stages=1", "model.dropout=0.5")  # fmt: skip
    model, expected = job.bench.model.eval(), []
    with torch.no_grad():
        for document in job.bench.encode(job.documents.train):
            total = count = 0.0
            for one in job.bench.strategy.reading.windows(document, 64):
                labels = torch.from_numpy(one.labels(document))
                logits = model(torch.from_numpy(one.input_ids)[None]).logits[0]
                total += torch.nn.functional.cross_entropy(logits, labels, ignore_index=NO_LABEL, reduction="sum")
                count += int((labels != NO_LABEL).sum())
            expected.append(float(total) / count)
    model.train()
    step, seen = job.trainer._step, []
    job.trainer._step = lambda state, epoch, progress: (seen.append((list(state.losses), epoch)), step(state, epoch, 0))
    state = job.run()
    losses, epoch = seen[0]
    assert losses == pytest.approx(expected, rel=1e-5)
    easiest = sorted(range(8), key=expected.__getitem__)
    chosen = sorted(set(admitted(epoch)))
    assert chosen == sorted(easiest[: len(chosen)])
    assert 1 <= len(chosen) < 8
    assert sum(epoch.lengths) < state.tokens <= state.padded_tokens  # those of the scoring pass are counted
    assert state.losses == []  # all are admitted in the end


@pytest.mark.by_default(1)
@pytest.mark.parametrize(("name", "stop_after"), [("competence", 4), ("self_paced", 4)])
def test_a_run_resumes_to_the_bit(name, stop_after, tmp_path):
    options = (*PACED[1:], "trainer.max_steps=7", f"strategy/curriculum={name}", "strategy.curriculum.stages=3")
    whole = make_job(tmp_path / "whole", *options)
    whole.run()
    _, resumed = stopped_and_resumed(tmp_path / "cut", *options, stop_after=stop_after)
    expected, found = whole.weights(), resumed.weights()
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    assert (whole.state.tokens, whole.state.epochs) == (resumed.state.tokens, resumed.state.epochs)


@pytest.mark.parametrize(
    "options", [{"initial": 0}, {"until": 1.5}, {"stages": 0}, {"difficulty": "hard"}], ids=lambda o: next(iter(o))
)
def test_values_out_of_range_are_refused(options):
    ((name, value),) = options.items()
    with pytest.raises(UserError, match=f"strategy.curriculum.{name}={value}"):
        Competence(**options)
