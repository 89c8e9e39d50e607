"""Events linked by retrieval: the same words on the next day are one event, those of the topic alone are not."""

import json
from datetime import date, timedelta

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from ctxlab.core.monitoring import Seen
from ctxlab.monitoring.linking.retrieval import Linker, ranked
from ctxlab.text.bm25 import K1, B

TOPIC, STRIKE, FLOOD, OTHER = range(40), range(40, 52), range(52, 64), range(64, 104)
FIRST = date(2026, 1, 1)


def documents(random, words, count, topic=TOPIC):
    """Documents of 20 words of a topic, and 6 of an event."""
    return [
        [*random.choice(topic, 20).tolist(), *(random.choice(words, 6).tolist() if words else [])] for _ in range(count)
    ]


def told(linker, days):
    """The links of events; each day is a list of (group, documents, whether an alarm rings)."""
    state, found, number = {}, [], 0
    for offset, groups in enumerate(days):
        for group, texts, rings in groups:
            for place, terms in enumerate(texts):
                seen = Seen("d", 1, {}, group=group, day=FIRST + timedelta(days=offset), terms=terms)
                linker.remember(state, seen)
                if rings and place == len(texts) - 1:
                    number += 1
                    found.append(linker.link(state, seen, number))
                state = json.loads(json.dumps(state))
    return found


def stream(random, second, gap=1, topic=TOPIC):
    usual = [[("a", documents(random, None, 4), False), ("b", documents(random, None, 4, topic), False)]
             for _ in range(5)]  # fmt: skip
    calm = [[("a", documents(random, None, 4), False)] for _ in range(gap - 1)]
    return [*usual, [("a", documents(random, STRIKE, 12), True)], *calm,
            [("b", documents(random, second, 12, topic), True)]]  # fmt: skip


def test_the_same_event_of_another_topic_on_the_next_day_is_linked():
    random = np.random.default_rng(1)
    first, second = told(Linker(3), stream(random, STRIKE, topic=OTHER))
    assert first is None
    assert second.alarm == 1
    assert second.share > 0.95


def test_another_event_is_not_linked_although_the_topic_is_the_same():
    """At level 0.01 two of 40 unrelated pairs have a chance of one in seventeen."""
    links = [told(Linker(3), stream(np.random.default_rng(seed), FLOOD))[1] for seed in range(40)]
    assert sum(link is not None for link in links) <= 2


def test_an_event_too_long_ago_is_none():
    random = np.random.default_rng(3)
    assert told(Linker(3), stream(random, STRIKE, gap=3))[1].alarm == 1
    assert told(Linker(3), stream(random, STRIKE, gap=4))[1] is None
    assert told(Linker(0), stream(random, STRIKE)) == [None, None]


def test_ranks_are_those_of_bm25_worked_out_by_hand():
    event, usual, queries = [[1, 2], [1, 1, 3]], [[2, 4], [4, 5, 5, 1]], [[1, 2, 7], [2, 2]]
    everything = [*event, *usual]
    mean = np.mean([len(one) for one in everything])

    def score(query, document):
        total = 0.0
        for term in {*query}:
            having = sum(term in one for one in everything)
            if having:
                times = document.count(term)
                weight = times * (K1 + 1) / (times + K1 * (1 - B + B * len(document) / mean))
                total += weight * np.log(1 + (len(everything) - having + 0.5) / (having + 0.5))
        return total

    scores = [np.mean([score(query, document) for query in queries]) for document in everything]
    wins = np.mean([(a > b) + (a == b) / 2 for a in scores[:2] for b in scores[2:]])
    share, p_value = ranked(queries, event, usual)
    assert share == pytest.approx(wins)
    assert p_value == pytest.approx(mannwhitneyu(scores[:2], scores[2:], alternative="greater").pvalue)
    assert 0 < wins < 1
