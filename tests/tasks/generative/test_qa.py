"""Generated answers to questions: what each window is to generate, how windows combine, and what examples show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.core.errors import UserError
from ctxlab.core.types import GeneratedTokens, Merged, Prediction
from ctxlab.evaluation.metrics import answers
from ctxlab.models.loading.spaces import begin_words_with_a_space
from ctxlab.models.loading.tiny import make_tokenizer
from ctxlab.runtime.forward import window_targets
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.strategies.reading.truncate import Truncate
from ctxlab.tasks.generative.prompts import Prompt
from ctxlab.tasks.generative.qa import GenerativeQA
from ctxlab.tasks.qa import QA
from ctxlab.tasks.records.questions import Answer
from tests.tasks.conftest import FAMILIES, byte_level

CONTEXT = "The town sold rope. Nobody, in that town, bought wool. The time was bad."
TOKENIZERS = {"wordpiece": make_tokenizer, "bytes": lambda: byte_level("<s> $A", add_prefix_space=False)}
DECODING = {"max_new_tokens": 40}


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request):
    return TOKENIZERS[request.param]()


def question(text="who?", *gold, id="q"):
    return {"id": id, "question": text, "answers": [{"text": t, "answer_start": CONTEXT.index(t)} for t in gold]}


ASKED = [
    question("a?", "rope", id="1"), question("b?", "town sold rope. Nobody, in that", id="2"), question("c?", id="3"),
    question("d?", "The town sold", id="4"), question("e?", "bad.", id="5"), question("f?", "wool", "The time", id="6"),
]  # fmt: skip


def written(kind="decoder", decoding=DECODING, **options):
    return QA(decoding=decoding, **options).for_kind(kind)


def parse(task, *questions):
    return task.expand(task.parse({"id": "r", "context": CONTEXT, "questions": list(questions)}, "a line 3", gold=True))


def encode(task, tokenizer, *questions):
    task.prepare(tokenizer)
    documents = parse(task, *questions)
    return documents, task.encode(documents, tokenizer)


def told(task, document, encoded, reading, length, write=lambda target: target[:-1]):
    """The prediction where each window generates what it is trained to."""
    windows = reading.windows(encoded, length)
    merged = reading.merge(windows, [np.empty((len(w), 0), np.float32) for w in windows], len(encoded))
    texts = [GeneratedTokens(np.asarray(write(target)), -0.5) for target in window_targets(encoded, windows)]
    return task.decode(document, encoded, Merged(merged.outputs, merged.seen, texts))


def test_encoders_extract_and_others_generate():
    assert type(QA().for_kind("encoder")) is QA
    assert isinstance(written(), GenerativeQA)
    assert written().head == "causal_lm"
    assert written("encoder_decoder").head == "seq2seq_lm"


@pytest.mark.parametrize("kind", ["decoder", "encoder_decoder"])
@pytest.mark.parametrize(("reading", "tokens"), [(Truncate(), 99), (Chunk(), 99), (Chunk(), 40), (Chunk(30), 50)])
def test_a_perfect_prediction_scores_one_and_an_empty_one_nothing(kind, reading, tokens, tokenizer):
    task = written(kind)
    pairs = [(d, e, added(e) + tokens) for d, e in zip(*encode(task, tokenizer, *ASKED), strict=True)]
    if tokens == 40:  # some answers are cut in two, which a text cannot be put together from
        pairs = [(d, e, length) for d, e, length in pairs if whole(e, reading, length)]
        assert len(pairs) >= 4
    documents = [document for document, _, _ in pairs]
    found = answers.score(documents, [told(task, d, e, reading, length) for d, e, length in pairs])
    assert found.metrics["exact_match"] == found.metrics["f1"] == found.coverage_labels == 1
    empty = [told(task, d, e, reading, length, lambda target: target[:0]) for d, e, length in pairs]
    found = answers.score(documents, empty)
    assert found.metrics["has_answer_f1"] == 0
    assert found.metrics["no_answer_accuracy"] == 1


def added(encoded):
    return len(encoded.before) + len(encoded.after) + encoded.room


def whole(encoded, reading, length):
    windows = reading.windows(encoded, length)
    return not len(encoded.evidence) or any(np.isin(encoded.evidence, w.token_index).all() for w in windows)


@pytest.mark.parametrize("keep", ["head", "tail"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_perfect_model_scores_its_coverage_where_something_is_cut(keep, share, tokenizer):
    task = written()
    asked = [question("x?", word, id=str(i)) for i, word in enumerate(["town", "rope", "Nobody, in", "wool", "bad."])]
    documents, encoded = encode(task, tokenizer, *asked)
    length = added(encoded[0]) + int(share * len(encoded[0]))
    found = answers.score(
        documents, [told(task, d, e, Truncate(keep), length) for d, e in zip(documents, encoded, strict=True)]
    )
    assert 0 < found.metrics["exact_match"] == found.metrics["f1"] == found.coverage_labels < 1


def test_the_target_of_windows_without_the_whole_answer_is_the_phrase(tokenizer):
    task = written("encoder_decoder", no_answer="not here")
    (document,), (encoded,) = encode(task, tokenizer, question("x?", "wool"))
    reading = Chunk(4)
    length = added(encoded) + 8
    windows = reading.windows(encoded, length)
    texts = [tokenizer.decode(t, skip_special_tokens=True).strip() for t in window_targets(encoded, windows)]
    held = [np.isin(encoded.evidence, w.token_index).all() for w in windows]
    assert {"wool" if one else "not here" for one in held} == set(texts)
    assert texts == ["wool" if one else "not here" for one in held]
    assert document.fields["group"] == "r"


def test_the_question_comes_after_the_text_for_a_decoder_and_before_it_for_others(tokenizer):
    for kind, place in (("decoder", "after"), ("encoder_decoder", "before")):
        _, (encoded,) = encode(written(kind, instruction="say or {no_answer}"), tokenizer, question("what is?"))
        assert "what is?" in tokenizer.decode(getattr(encoded, place))
        assert "say or" in tokenizer.decode(encoded.before)
        assert "{" not in tokenizer.decode(encoded.before)


def test_the_question_goes_on_from_the_context_without_a_space():
    """As it does in solved examples, where one text is made of all."""
    for name in ("roberta", "llama", "gpt2"):
        tokenizer = FAMILIES[name][0]()
        begin_words_with_a_space(tokenizer)
        _, (encoded,) = encode(written(), tokenizer, question("what is?"))
        assert tokenizer.decode(encoded.after) == "\nQuestion: what is?\nAnswer:"


@pytest.mark.parametrize(("behind", "bin_name"), [(True, "1–128"), (False, "513–2,048")])
def test_the_distance_to_the_question_depends_on_its_position(behind, bin_name):
    (document,) = parse(written(), question("x?", "rope"))
    answer = Answer("rope", None, None, -1.0, 1000, 900, asked_after=behind)
    tables = answers.score([document], [Prediction("q", answer, [True])]).tables
    (table,) = [table for table in tables if table.name == "by_evidence"]
    assert [row[0] for row in table.rows] == [bin_name]


def test_the_likeliest_answer_wins_over_the_phrase():
    task = written()
    assert task.combined(["unanswerable", "rope", "Unanswerable.", "wool"], [-0.1, -3.0, -0.2, -1.0]) == "wool"
    assert task.combined(["unanswerable", "", "UNANSWERABLE"], [-0.1, -0.1, -9.0]) == ""


def test_an_excerpt_keeps_the_answer_or_says_that_it_is_cut_off(tokenizer):
    task = QA(stretch_tokens=12, no_answer_share=0.5, decoding=DECODING).for_kind("encoder_decoder")
    _, (encoded,) = encode(task, tokenizer, question("x?", "wool"))
    kept = 0
    for seed in range(40):
        part = task.resample(encoded, seed)
        assert len(part) == 12
        (window,) = Truncate().windows(part, added(part) + 12)
        (target,) = window_targets(part, [window])
        text = tokenizer.decode(part.input_ids, skip_special_tokens=True)
        kept += "wool" in text
        assert ("wool" in tokenizer.decode(target)) == ("wool" in text)
    assert 20 <= kept < 40


def test_examples_show_the_words_around_their_answer():
    task = written()
    (one,) = parse(task, question("x?", "wool"))
    assert task.excerpt(one, 5) == "town, bought wool. The time"
    assert task.excerpt(one, 1) == "wool."
    (inside,) = parse(task, {"id": "q", "question": "x?", "answers": [{"text": "ope", "answer_start": 15}]})
    assert task.excerpt(inside, 1) == "rope."
    (none,) = parse(task, question("x?"))
    assert task.excerpt(none, 3) == "The town sold"


TEXTS = st.lists(st.integers(0, 3), min_size=3, max_size=6)  # a few texts, some of them in several records


@given(TEXTS, st.integers(0, 3), st.integers(0, 2**40))
def test_examples_are_never_of_the_document_nor_of_its_text(numbers, shots, seed):
    task = written(shots=shots)
    pool = [
        part
        for i, number in enumerate(numbers)
        for part in task.expand(
            task.parse(
                {"id": f"r{i}", "context": f"text {number}", "questions": [
                    {"id": j, "question": f"{j}?", "answers": []} for j in range(2)
                ]}, "here", gold=True,
            )
        )
    ]  # fmt: skip
    task.take_examples(pool, seed)
    again = written(shots=shots)
    again.take_examples(pool, seed)
    for document in pool:
        strangers = [d for d in pool if d.fields["context"] != document.fields["context"]]
        if len(strangers) < shots:
            with pytest.raises(UserError, match=f"task.shots={shots} needs as many solved training documents beside"):
                task.examples(document)
            continue
        drawn = task.examples(document)
        assert len({d.id for d in drawn}) == len(drawn) == shots
        assert all(d in strangers for d in drawn)
        assert [d.id for d in again.examples(document)] == [d.id for d in drawn]


def test_examples_differ_from_document_to_document_and_from_seed_to_seed():
    task = written(shots=2)
    pool = [part for i in range(30) for part in parse(task, question("x?", "rope", id=str(i)))[:1]]
    pool = [type(d)(f"{d.id}-{i}", {**d.fields, "group": str(i), "context": f"{CONTEXT} {i}"}, d.origin)
            for i, d in enumerate(pool)]  # fmt: skip
    drawn = set()
    for seed in (1, 2):
        task.take_examples(pool, seed)
        drawn |= {tuple(e.id for e in task.examples(document)) for document in pool}
    assert len(drawn) > 40


def test_solved_examples_are_in_the_prompt_as_it_is_asked(tokenizer):
    task = written(shots=1, example_words=3)
    (pool,) = parse(task, question("when was it?", "bad."))
    task.take_examples([type(pool)("other", {**pool.fields, "group": "o", "context": f"x {CONTEXT}"}, "there")], 1)
    _, (encoded,) = encode(task, tokenizer, question("who?", "rope"))
    front = tokenizer.decode(encoded.before).lower().replace(" ", "")
    assert "question:whenwasit?" in front
    assert front.rstrip().endswith("answer:bad.")


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"shots": 2}, "encoder", "task.shots=2 does not work with a model of kind encoder"),
        (
            {"shots": 2},
            "encoder_decoder",
            "task.shots=2 does not work with a model of kind encoder_decoder.* use task.shots=0",
        ),
        ({"shots": -1}, "decoder", "task.shots=-1 is negative"),
        ({"no_answer": " "}, "decoder", "task.no_answer=' ' is not one line of text"),
        ({"no_answer": "a\nb"}, "decoder", "task.no_answer="),
        ({"example_words": 0}, "decoder", "task.example_words=0"),
        ({"decoding": {"max_new_tokens": 0}}, "decoder", "max_new_tokens=0"),
    ],
)
def test_what_cannot_work_is_refused(options, kind, says):
    with pytest.raises(UserError, match=says):
        written(kind, **options)


def test_too_few_training_documents():
    task = GenerativeQA(None, Prompt("", "A:", shots=3))
    with pytest.raises(UserError, match=r"task\.shots=3 needs as many solved training documents, and there are 2"):
        task.take_examples(parse(task, *ASKED[:2]), 1)
