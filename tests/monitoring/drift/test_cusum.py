"""Detectors of drift: clean streams stay silent, shifted ones ring soon, once, and after any interruption alike."""

import json

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.monitoring.charts.usual import scores
from ctxlab.monitoring.drift.cusum import Cusum
from ctxlab.monitoring.drift.ks import Ks
from ctxlab.monitoring.drift.none import NoDrift
from ctxlab.monitoring.drift.psi import Psi
from tests.monitoring.streams import documents, reference, rings

DETECTORS = {
    "cusum": Cusum(slack=0.5, documents_per_false_alarm=20_000),
    "psi": Psi(window=50, documents_per_false_alarm=20_000, bins=5),
    "ks": Ks(window=50, documents_per_false_alarm=20_000),
}


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", DETECTORS)
def test_twenty_clean_streams_of_500_documents_ring_once_at_most(name):
    random = np.random.default_rng(11)
    references = [reference(random) for _ in range(4)]
    alarms = [rings(DETECTORS[name], documents(random, 500), references[n % 4]) for n in range(20)]
    assert sum(map(len, alarms)) <= 1


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("seed", range(5))
def test_a_stream_of_longer_documents_rings_within_50(name, seed):
    random = np.random.default_rng(seed)
    usual = reference(random)
    found = rings(DETECTORS[name], documents(random, 50, shift=1.5), usual)
    assert [alarm.subject for alarm in found][:1] == ["tokens"]
    assert found[0].value > found[0].limit


@pytest.mark.parametrize("name", ["cusum", "psi"])
def test_other_labels_ring_within_50(name):
    random = np.random.default_rng(3)
    found = rings(DETECTORS[name], documents(random, 50, shares=(0.05, 0.05, 0.9)), reference(random))
    assert {alarm.subject for alarm in found} == {"labels"}


def test_one_lasting_shift_rings_once_and_a_second_one_again():
    random = np.random.default_rng(4)
    usual, detector, state = reference(random), DETECTORS["cusum"], {}
    assert len(rings(detector, documents(random, 300, shift=2.0), usual, state)) == 1
    assert rings(detector, documents(random, 200, first=301), usual, state) == []
    again = rings(detector, documents(random, 100, shift=2.0, first=501), usual, state)
    assert len(again) == 1
    assert 480 <= int(again[0].sentence.split("document ")[1].split(" ")[0]) <= again[0].number


@pytest.mark.parametrize("name", DETECTORS)
def test_a_state_that_was_saved_continues_alike(name):
    random = np.random.default_rng(5)
    usual, stream = reference(random), list(documents(random, 120, shift=1.0))
    whole = rings(DETECTORS[name], stream, usual)
    state, found = {}, []
    for one in stream:
        found += DETECTORS[name].step(state, one, usual)
        state = json.loads(json.dumps(state))
    assert found == whole != []


def test_scores_are_standard_normal_whatever_the_distribution():
    random = np.random.default_rng(6)
    usual = reference(random, 1500)
    found = [scores(one, usual) for one in documents(random, 1500)]
    for name in ("tokens", "confidence"):
        values = np.array([one[name] for one in found])
        assert abs(values.mean()) < 0.1
        assert values.std() == pytest.approx(1, abs=0.07)
    assert np.std([one["unknown characters"] for one in found]) <= 1.05


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Cusum(0.0, 100), "drift.slack=0"),
        (lambda: Psi(5, 100, 5), "drift.window=5"),
        (lambda: Ks(50, 40), "documents_per_false_alarm=40"),
    ],
)
def test_bad_values(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()


def test_promises_say_how_often():
    assert all("once in 20,000 documents" in one.promise for one in DETECTORS.values())
    assert NoDrift().step({}, next(documents(np.random.default_rng(1), 1)), None) == []
