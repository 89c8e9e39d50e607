"""Turns of documents: a long one never keeps a short one waiting for more than the pass that runs."""

import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from queue import SimpleQueue

import pytest

import ctxlab
from ctxlab.core.data import Record
from ctxlab.serving import ending, tokenising
from ctxlab.serving import scheduler as scheduling
from ctxlab.serving.refusal import Refusal
from ctxlab.serving.scheduler import Scheduler
from ctxlab.serving.ticket import LONG_BYTES, Ticket
from ctxlab.serving.written import written
from ctxlab.stages.serve import by_windows

turns_of = tokenising._turns

LONG = {"id": "long", "text": "The Brisk sailed from Port Ada to Halden. " * 90}
SHORT = {"id": "short", "text": "Ada came."}


@pytest.fixture(scope="module")
def bench(trained):
    return ctxlab.load(trained, "trainer.tokens_per_forward=256")._bench


@pytest.fixture
def made(bench):
    """A scheduler without threads, whose turns a test takes one by one."""
    return Scheduler(bench.answerer(), bench.tokenizer, max_waiting=8)


def put(made, *records, key="", **given):
    """Accept records and put their documents into the ring."""
    tickets = made.submit(records, 10, key, **given)
    queue = SimpleQueue()
    for ticket in (*tickets, None):
        queue.put(ticket)
    made.tokenising.work(queue, tokenising.for_thread(made.tokenising._answerer, made.tokenising._tokenizer))
    return tickets


def turn(made):
    """One turn, and what is made of it."""
    made.turn()
    made.ending.drain()


def turns(made, *tickets):
    """The number of turns until each ticket has its answer."""
    found = {}
    for number in range(1, 100):
        turn(made)
        found |= {ticket: number for ticket in tickets if ticket.done.done() and ticket not in found}
        if len(found) == len(tickets):
            return [found[ticket] for ticket in tickets]
    raise AssertionError(found)


def test_a_short_document_waits_for_one_pass_of_a_long_one(made):
    (alone,) = turns(made, *put(made, LONG))
    assert alone > 5  # windows of 256 tokens, one a pass
    (long,) = put(made, LONG)
    turn(made)
    turn(made)
    (short,) = put(made, SHORT)
    assert turns(made, long, short) == [alone - 2 + 1, 2]


def test_two_long_documents_take_turns_and_short_ones_share_a_pass(made):
    one, other, *short = put(made, LONG, LONG, *({**SHORT, "id": str(i)} for i in range(4)))
    found = turns(made, one, other, *short)
    assert abs(found[1] - found[0]) <= 1  # their last windows may share a pass
    assert found[2:] == [3, 3, 3, 3]


def test_a_key_with_one_document_does_not_wait_for_all_of_another(made):
    many = put(made, *[LONG] * 6, key="many")
    for _ in range(3):
        turn(made)
    (one,) = put(made, {**SHORT, "text": LONG["text"][:900]}, key="one")  # two passes
    began = made.tokens_read
    assert turns(made, one)[0] <= 4  # with a single queue each of its passes would wait for six others
    assert made.tokens_read > began
    (again,) = put(made, SHORT, key="one")  # what it had before does not count against it once it was away
    assert turns(made, again)[0] <= 2
    turns(made, *many)
    assert made._ring._spent == {}


def test_a_document_that_no_reader_foresaw_is_the_client_s_mistake(made, monkeypatch, caplog):
    def fail(*_):
        raise AttributeError("canary")

    monkeypatch.setattr(tokenising, "documents", fail)
    (ticket,) = put(made, SHORT)
    with pytest.raises(Refusal, match="not one that task=ner reads") as caught:
        ticket.done.result(0)
    assert (caught.value.status, "canary" in caplog.text + caught.value.sentence) == (422, False)


def test_answers_are_those_of_predict(made, bench):
    records = [LONG, SHORT, {"id": "words", "tokens": ["Port", "Ada", "."]}]
    tickets = put(made, *records)
    turns(made, *tickets)
    answerer = bench.answerer()
    for record, ticket in zip(records, tickets, strict=True):
        (found,) = ticket.done.result(0)
        (expected,) = answerer.answers(answerer.documents([Record(record, "a test")]))
        assert found == expected


def test_nothing_is_run_for_a_client_that_left(made, monkeypatch):
    long, short = put(made, LONG, SHORT)
    made.leave(long)
    ran = []
    monkeypatch.setattr(scheduling, "run", lambda reader, pieces, run=scheduling.run: ran.append(run(reader, pieces)))
    assert turns(made, short) == [1]
    assert (len(ran), made.waiting, made.answered) == (1, 0, 1)


def test_a_document_that_fails_does_not_fail_the_others_of_its_pass(made, monkeypatch, caplog):
    bad, good = put(made, {"id": "bad", "text": "Canary came."}, SHORT)
    broken = made._ring._turns[0].pieces

    def run(reader, pieces, run=scheduling.run):
        if broken in pieces:
            raise ValueError("canary")
        run(reader, pieces)

    monkeypatch.setattr(scheduling, "run", run)
    turn(made)
    assert good.done.result(0)[0].record["id"] == "short"
    with pytest.raises(Refusal, match="ValueError") as caught:
        bad.done.result(0)
    assert caught.value.status == 500
    assert "anary" not in caught.value.sentence + caplog.text


def test_more_than_may_wait_are_told_to_come_again(made):
    put(made, *[SHORT] * 7)
    with pytest.raises(Refusal, match="7 documents are waiting") as caught:
        made.submit([SHORT, SHORT], 10)
    assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "1"})
    with pytest.raises(Refusal, match="more than 8 documents") as caught:
        made.submit([SHORT] * 9, 10)
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"text": 5}, "no field 'tokens'"),
        ({"tokens": ["a", {"canary": 1}]}, "words must be strings"),
        ({"tokens": ["a", "canary"], "lenght": 3}, "a field that task=ner does not read, which are id, language"),
        ({"text": "canary", "title": "canary"}, "a field that task=ner does not read"),
        ({"text": ""}, "zero tokens"),
    ],
)
def test_a_record_that_the_task_does_not_read_is_refused_without_its_text(made, record, says):
    (ticket,) = put(made, record)
    with pytest.raises(Refusal, match=says) as caught:
        ticket.done.result(0)
    assert caught.value.status == 422
    assert "canary" not in caught.value.sentence
    assert made.waiting == 0


def test_gold_and_metadata_of_the_task_may_stay_in_a_record(made):
    given = {"id": "a", "tokens": ["Ada", "came"], "tags": ["B-PER", "O"], "sentence_starts": [0], "language": "en"}
    (ticket,) = put(made, given)
    turns(made, ticket)
    assert ticket.done.result(0)[0].record["tokens"] == ["Ada", "came"]


@contextmanager
def started(made):
    made.start()
    try:
        yield made
    finally:
        made.close()


def test_threads_answer_and_close_refuses_what_waits(made):
    with started(made):
        tickets = [*made.submit([SHORT], 10), *made.submit([LONG], LONG_BYTES)]
        assert [ticket.done.result(60)[0].record["id"] for ticket in tickets] == ["short", "long"]
        last = made.submit([{**LONG, "text": LONG["text"] * 20}], LONG_BYTES)[0]
    with pytest.raises(Refusal, match="stopping"):
        last.done.result(0)
    with pytest.raises(Refusal):
        made.submit([SHORT], 10)


def test_numbers_that_json_lacks_become_null():
    assert written({"a": [1.5, float("nan"), {"b": float("-inf")}], "c": "é"}) == (
        '{"a": [1.5, null, {"b": null}], "c": "é"}'.encode()
    )


def test_a_short_document_waits_for_at_most_the_running_window_of_a_long_one(bench, monkeypatch):
    """The model is slow, and threads run as in a worker; the oracle is the order of passes."""
    made = Scheduler(bench.answerer(), bench.tokenizer, max_waiting=8)
    windows, began = [], threading.Event()

    def slow(reader, pieces, run=scheduling.run):
        windows.append([(len(one.encoded), len(one.passes[-1])) for one in pieces])
        began.set()
        time.sleep(0.3)
        run(reader, pieces)

    monkeypatch.setattr(scheduling, "run", slow)
    with started(made):
        (long,) = made.submit([{**LONG, "text": LONG["text"] * 8}], LONG_BYTES)
        assert began.wait(60)
        for _ in range(3):
            first = len(windows)
            (short,) = made.submit([SHORT], 10)
            short.done.result(60)
            between = [tokens for passed in windows[first:] for tokens, _ in passed if tokens > 100]
            assert len(between) <= 1  # one more has begun before the short one arrived
        assert not long.done.done()
        assert {count for passed in windows for tokens, count in passed if tokens > 100} == {1}
        made.leave(long)


def test_a_short_document_does_not_wait_while_a_long_one_is_tokenised_or_decoded(bench, monkeypatch):
    made = Scheduler(bench.answerer(), bench.tokenizer, max_waiting=8)
    over, waits = threading.Event(), threading.Semaphore(0)

    def hold(module, name):
        real = getattr(module, name)

        def held(answerer, given, *more):
            ticket = given if isinstance(given, Ticket) else given.ticket
            if ticket.is_long:
                waits.release()
                assert over.wait(60)
            return real(answerer, given, *more)

        monkeypatch.setattr(module, name, held)

    hold(tokenising, "_turns")
    hold(ending, "_finish")
    with started(made):
        for _ in range(2):
            (long,) = made.submit([LONG], LONG_BYTES)
            assert waits.acquire(timeout=60)
            for _ in range(2):
                assert made.submit([SHORT], 10)[0].done.result(60)
            assert not long.done.done()
            over.set()
            assert long.done.result(60)
            monkeypatch.setattr(tokenising, "_turns", turns_of)
            over.clear()


def test_passes_on_a_cpu_have_the_tokens_of_a_window_unless_the_command_says_otherwise(bench):
    assert by_windows(bench).reader().tokens_per_forward == 256
    unsaid = replace(bench, settings=replace(bench.settings, tokens_per_forward=None))
    assert unsaid.reader().tokens_per_forward > unsaid.length == 256
    assert by_windows(unsaid).reader().tokens_per_forward == 256
    said = replace(bench, settings=replace(bench.settings, tokens_per_forward=1000))
    assert by_windows(said).reader().tokens_per_forward == 1000
