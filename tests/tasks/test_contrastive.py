"""SimCSE against its formula in numpy, and through a run: what it needs, and what a run can be used for afterwards."""

import json

import numpy as np
import pytest
import torch

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.core.types import NO_LABEL, Document, Merged
from ctxlab.models.loading.tiny import make_tokenizer
from ctxlab.tasks.contrastive import PLACE_BITS, Contrastive
from tests.stages.conftest import SMALL, train
from tests.training.runs import make_job, stopped_and_resumed


def labels(*documents: int, width: int = 4) -> torch.Tensor:
    """(2N, W): each window twice, of these documents, with a padded and an added token."""
    rows = []
    for place, document in enumerate(documents):
        row = [NO_LABEL, *((document << PLACE_BITS) + 10 * place + token for token in range(width - 2)), NO_LABEL]
        rows += [row, row]
    return torch.tensor(rows)


def by_hand(outputs: np.ndarray, documents: list[int], temperature: float) -> list[float]:
    """The loss of each window that has a negative, by sums over pairs."""
    means = outputs[:, 1:-1].mean(axis=1)
    unit = [mean / np.sqrt((mean**2).sum()) for mean in means]
    first, second = unit[0::2], unit[1::2]
    found = []
    for i, document in enumerate(documents):
        others = [j for j, other in enumerate(documents) if other != document]
        if others:
            right = np.exp(first[i] @ second[i] / temperature)
            found.append(-np.log(right / (right + sum(np.exp(first[i] @ second[j] / temperature) for j in others))))
    return found


@pytest.mark.parametrize("documents", [[1, 2, 3], [1, 1, 2], [5, 5, 5], [7]])
@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_the_loss_is_the_formula(documents, temperature):
    torch.manual_seed(1)
    outputs = torch.randn(2 * len(documents), 4, 6)
    found = Contrastive(temperature=temperature).loss(outputs, labels(*documents))
    expected = by_hand(outputs.double().numpy(), documents, temperature)
    assert float(found.total) == pytest.approx(sum(expected), rel=1e-5, abs=1e-6)
    assert float(found.weight) == len(expected)


def test_the_gradient_is_that_of_the_dense_formula():
    torch.manual_seed(2)
    documents, outputs = [1, 1, 2, 3], torch.randn(8, 4, 6, requires_grad=True)
    Contrastive().loss(outputs, labels(*documents)).total.backward()
    dense = outputs.detach().double().requires_grad_()
    mean = dense[:, 1:-1].sum(1) / 2
    unit = mean / mean.pow(2).sum(-1, keepdim=True).sqrt()
    cosines = torch.einsum("ih,jh->ij", unit[0::2], unit[1::2]) / 0.05
    total = 0
    for i, own in enumerate(documents):
        kept = [j for j, other in enumerate(documents) if j == i or other != own]
        total = total + torch.logsumexp(cosines[i, kept], 0) - cosines[i, i]
    total.backward()
    assert torch.allclose(outputs.grad.double(), dense.grad, atol=1e-5)
    assert outputs.grad[:, 0].abs().max() == 0  # tokens that were added are not in the mean


def test_windows_that_are_apart_are_refused():
    outputs = torch.randn(4, 4, 6)
    with pytest.raises(UserError, match=r"stand alone.*strategy=chunk"):
        Contrastive().loss(outputs, labels(1, 2)[[0, 2, 1, 3]])


def test_labels_name_document_and_place():
    task, tokenizer = Contrastive(), make_tokenizer()
    one, other = task.encode(
        [Document("a", {"text": "one text"}, "a"), Document("b", {"text": "one text"}, "b")], tokenizer
    )
    assert len(set((one.labels >> PLACE_BITS).tolist())) == 1
    assert (one.labels >> PLACE_BITS)[0] != (other.labels >> PLACE_BITS)[0]
    assert np.diff(one.labels).tolist() == [1] * (len(one) - 1)
    assert one.labels.min() >= 0


def test_the_answer_is_the_mean_of_what_was_read():
    states = np.array([[2, 0], [2, 0], [9, 9], [0, 4]], np.float32)
    merged = Merged(states, np.array([True, True, False, True]))
    task = Contrastive()
    encoded = task.encode([Document("a", {"text": "x"}, "a")], make_tokenizer())[0]
    found = task.decode(Document("a", {}, "a"), encoded, merged)
    assert found.answer.whole.tolist() == pytest.approx([2**-0.5, 2**-0.5])
    assert found.answer.halves.ravel().tolist() == pytest.approx([1, 0, 1 / 5**0.5, 2 / 5**0.5])
    unread = task.decode(Document("a", {}, "a"), encoded, Merged(states, np.zeros(4, bool)))
    assert not unread.answer.halves.any()
    assert unread.seen == [False]


def test_every_window_is_in_a_pass_twice_with_other_draws(tmp_path, monkeypatch):
    seen = []

    def spy(self, outputs, labels):
        seen.append((outputs.detach().clone(), labels.clone()))
        return loss(self, outputs, labels)

    loss = Contrastive.loss
    monkeypatch.setattr(Contrastive, "loss", spy)
    make_job(tmp_path / "run", "task=contrastive", "strategy=chunk", "trainer.max_steps=1").run()
    outputs, given = seen[0]
    assert torch.equal(given[0::2], given[1::2])
    assert len(given) >= 4
    apart = (outputs[0::2] - outputs[1::2]).abs().amax(dim=(1, 2))
    assert (apart > 1e-3).all()


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("model.dropout=0",), "task=contrastive compares two draws of dropout, and this model has none"),
        (("trainer.tokens_per_forward=1",), "Every forward pass has one window"),
        (("strategy/curriculum=self_paced",), "goes by the loss of each document, and task=contrastive has a loss of"),
        (("task.temperature=0",), r"task\.temperature=0(\.0)? divides cosines"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence(options, expected, tmp_path):
    with pytest.raises(UserError, match=expected):
        make_job(tmp_path / "run", "task=contrastive", "strategy=chunk", "trainer.max_steps=1", *options).run()


@pytest.mark.slow
def test_a_run_is_the_start_of_a_classifier(tmp_path):
    assert train(tmp_path / "simcse", "task=contrastive", "strategy=chunk") == 0
    found = json.loads((tmp_path / "simcse" / "result.json").read_text())
    assert any("does not enlarge the number of negatives" in note for note in found["notes"])
    folder = tmp_path / "simcse" / found["checkpoint"]
    options = [option for option in SMALL if not option.startswith(("model=", "task="))]
    words = ["train", *options, "task=classification", "strategy=chunk", f"model.path={folder}"]
    assert main([*words, f"hydra.run.dir={tmp_path / 'classifier'}"]) == 0


@pytest.mark.slow
def test_a_resumed_run_is_the_same(tmp_path):
    """Dropout tells the two views of a window apart, so that it must be drawn as in the run without a stop."""
    options = ("task=contrastive", "strategy=chunk", "trainer.max_steps=4", "model.dropout=0.1", "optimizer.lr=1e-2")
    whole = make_job(tmp_path / "whole", *options)
    whole.run()
    _, second = stopped_and_resumed(tmp_path / "cut", *options, stop_after=2)
    expected, found = whole.weights(), second.weights()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[key], found[key]) for key in expected)
