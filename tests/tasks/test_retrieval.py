"""Retrieval against formulas in numpy: the loss, what is kept of a text, late interaction; and what records may be."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Strategy
from ctxlab.core.types import NO_LABEL
from ctxlab.data.parsing import documents_of, split_documents
from ctxlab.data.readers.read import recognised
from ctxlab.models.loading.tiny import make_tokenizer
from ctxlab.runtime.collate import right_pad
from ctxlab.runtime.forward import Passes, make_items
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.curriculum.constant import Constant
from ctxlab.strategies.memory.none import NoMemory
from ctxlab.strategies.positions.keep import Keep
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.tasks.forms.vectors import held, ranked
from ctxlab.tasks.retrieval import DOCUMENT, Retrieval

TEXTS = [{"id": "a", "text": "the pump is in the cellar"}, {"id": "b", "text": "the lamp is red and old"}]


def split(task, *records, gold=True):
    """The documents of records, as a file of them gives."""
    given = [Record({"id": str(i)} | record, f"q.jsonl line {i + 1}") for i, record in enumerate(records)]
    return split_documents(task, documents_of(task, recognised(given, "retrieval", "q", []), gold=gold))


def asked(**more):
    return {"query": "where is the pump?", "documents": TEXTS, "relevant": ["a"], **more}


def labels(*groups, width=5):
    """(2N, W): a query with two tokens and a window with three for each group, within an added token and padding."""
    rows = []
    for group in groups:
        rows.append([NO_LABEL, 2 * group, 2 * group] + [NO_LABEL] * (width - 3))
        rows.append([NO_LABEL] + [2 * group + 1] * 3 + [NO_LABEL] * (width - 4))
    return torch.tensor(rows)


def by_hand(outputs, groups, combine, temperature):
    """The loss of each pair with a negative, by loops over queries, windows and tokens."""
    queries, texts = outputs[0::2, 1:3], outputs[1::2, 1:4]

    def cosine(x, y):
        return float(x @ y / np.sqrt((x @ x) * (y @ y)))

    def similarity(query, text):
        if combine == "max_sim":
            return np.mean([max(cosine(q, t) for t in text) for q in query])
        return cosine(query.mean(0), text.mean(0))

    found = []
    for i, group in enumerate(groups):
        others = [j for j, other in enumerate(groups) if other != group]
        if others:
            right = np.exp(similarity(queries[i], texts[i]) / temperature)
            wrong = sum(np.exp(similarity(queries[i], texts[j]) / temperature) for j in others)
            found.append(-np.log(right / (right + wrong)))
    return found


@pytest.mark.parametrize("groups", [[1, 2, 3], [1, 1, 2], [5, 5], [7]])
@pytest.mark.parametrize("combine", ["mean", "max", "max_sim"])
def test_the_loss_is_info_nce(groups, combine):
    torch.manual_seed(1)
    outputs = torch.randn(2 * len(groups), 5, 6)
    found = Retrieval(combine=combine, temperature=0.3).loss(outputs, labels(*groups))
    expected = by_hand(outputs.double().numpy(), groups, combine, 0.3)
    assert float(found.total) == pytest.approx(sum(expected), rel=1e-5, abs=1e-6)
    assert float(found.weight) == len(expected)


def test_each_relevant_document_is_right_in_turn_and_the_others_are_no_negatives():
    """By hand: queries 0 and 1 are one query with the documents a and b, query 2 has c, and b too."""
    task, tokenizer = Retrieval(combine="mean", temperature=0.3, stretch_tokens=None), make_tokenizer()
    texts = [*TEXTS, {"id": "c", "text": "a third one"}, {"id": "d", "text": "a fourth one"}]
    other = asked(query="which is third?", documents=texts, relevant=["c", "b"])
    found = task.encode(split(task, asked(documents=texts, relevant=["a", "b", "a"]), other), tokenizer)
    items = []
    for place in (0, 5):
        drawn = task.resample(found[place], 1)
        windows = task.training_windows(drawn, lambda part: Chunk().windows(part, 64))
        items += make_items(0, drawn, windows)
    assert [len(item.windows) for item in items] == [2, 2, 2, 2]
    read = [tokenizer.decode(item.windows[1].input_ids[item.labels[1] != NO_LABEL]) for item in items]
    assert read == [text["text"] for text in (TEXTS[0], TEXTS[1], texts[2], TEXTS[1])]
    torch.manual_seed(1)
    width = max(len(row) for item in items for row in item.labels)
    outputs = torch.randn(8, width, 6)
    rows = [right_pad([row], NO_LABEL, width)[0] for item in items for row in item.labels]
    loss = task.loss(outputs, torch.stack(rows))
    means = [np.mean(o[row != NO_LABEL].numpy().astype(float), axis=0) for o, row in zip(outputs, rows, strict=True)]
    scores = [[float(q @ t / np.sqrt((q @ q) * (t @ t))) / 0.3 for t in means[1::2]] for q in means[0::2]]
    wrong = {0: [2], 1: [2], 2: [0], 3: [0]}  # columns: a, b, c, b
    expected = [
        -np.log(np.exp(scores[i][i]) / sum(np.exp(scores[i][j]) for j in (i, *others))) for i, others in wrong.items()
    ]
    assert float(loss.total) == pytest.approx(sum(expected), rel=1e-5)
    assert float(loss.weight) == 4


def test_queries_are_read_in_passes_of_their_own_width_with_the_same_outputs(tiny_encoder):
    task, tokenizer = Retrieval(stretch_tokens=60), make_tokenizer()
    texts = [{"id": str(i), "text": " ".join(f"w{i}{j}" for j in range(20 + 9 * i))} for i in range(4)]
    documents = split(
        task, asked(documents=texts, relevant=["1"]), asked(query="and where?", documents=texts, relevant=["3"])
    )
    drawn = [task.resample(one, 1) for one in task.encode(documents, tokenizer) if len(one.target)]
    items = [one for d in drawn for one in make_items(0, d, task.training_windows(d, lambda p: Chunk().windows(p, 70)))]
    strategy = Strategy("chunk", Chunk(), Keep(), Full(), NoMemory(), Constant())
    calls = []

    def forward(inputs):
        calls.append(tuple(inputs["input_ids"].shape))
        return SimpleNamespace(logits=tiny_encoder(**inputs).last_hidden_state)

    found = {}
    for sides in (1, task.sides):
        passes = Passes(strategy, forward, tokenizer.pad_token_id, torch.device("cpu"), sides=sides)
        (found[sides],) = passes.run(items)
    one, two = found[1], found[2]
    assert (one.rows, one.tokens) == (two.rows, two.tokens)
    assert torch.equal(one.labels, two.labels)
    known = one.labels != NO_LABEL
    assert torch.allclose(one.outputs[known], two.outputs[known], atol=1e-5)
    sizes = [[len(item.windows[side]) for item in items] for side in (0, 1)]
    assert calls[1:] == [(len(side), max(side)) for side in sizes]
    assert two.padded_tokens == sum(len(side) * max(side) for side in sizes) < one.padded_tokens


@pytest.fixture(scope="module")
def tiny_encoder():
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(make_tokenizer()), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                        intermediate_size=32)  # fmt: skip
    return BertModel(config, add_pooling_layer=False).eval()


def test_what_is_kept_of_a_text_and_compared():
    random = np.random.default_rng(1)
    states, seen = random.normal(size=(11, 4)).astype(np.float32), np.ones(11, bool)
    seen[[0, 7]] = False
    query = random.normal(size=(3, 4)).astype(np.float32)

    def length_one(x):
        return x / np.linalg.norm(x)

    asked = held(query, np.ones(3, bool), "mean", 4)
    one = length_one(query.mean(0))
    passages = [length_one(states[[1, 2, 3]].mean(0)), length_one(states[[4, 5, 6]].mean(0)),
                length_one(states[[8, 9, 10]].mean(0))]  # fmt: skip
    best = ranked([asked], [held(states, seen, "max", 4)])
    assert best[0, 0] == pytest.approx(max(one @ p for p in passages), abs=1e-5)
    whole = ranked([asked], [held(states, seen, "mean", 4)])
    assert whole[0, 0] == pytest.approx(one @ length_one(states[seen].mean(0)), abs=1e-5)
    tokens = [held(query[:2], np.ones(2, bool), "max_sim", 4), held(query, np.ones(3, bool), "max_sim", 4)]
    nothing = held(states, np.zeros(11, bool), "max_sim", 4)
    late = ranked(tokens, [held(states, seen, "max_sim", 4), nothing])
    for row, count in ((0, 2), (1, 3)):
        by_token = [max(length_one(q) @ length_one(s) for s in states[seen]) for q in query[:count]]
        assert late[row, 0] == pytest.approx(np.mean(by_token), abs=2e-3)  # kept in fp16
    assert late[:, 1].tolist() == [-1.0, -1.0]


def test_a_query_and_a_stretch_of_its_document_are_rows_side_by_side():
    text = " ".join(f"w{i}" for i in range(200)) + " the pump is here " + " ".join(f"v{i}" for i in range(200))
    start = text.index("the pump")
    probes = [{"document": "a", "start": start, "end": start + 16}]
    task, tokenizer = Retrieval(stretch_tokens=30), make_tokenizer()
    documents = split(task, asked(documents=[{"id": "a", "text": text}, TEXTS[1]], probes=probes))
    query, *texts = task.encode(documents, tokenizer)
    assert not any(len(task.resample(one, 3)) for one in texts)
    places = set()
    for seed in range(20):
        drawn = task.resample(query, seed)
        windows = task.training_windows(drawn, lambda part: Chunk().windows(part, 22))
        assert [window.begins for window in windows] == [True, False] * (len(windows) // 2)
        size = len(query.query)
        for asking, window in zip(windows[0::2], windows[1::2], strict=True):
            own = asking.labels(drawn)
            assert tokenizer.decode(asking.input_ids[own != NO_LABEL]) == tokenizer.decode(query.query)
            assert set(own[own != NO_LABEL] % 2) == {0}
            assert set(window.labels(drawn)[window.labels(drawn) != NO_LABEL] % 2) == {1}
            assert set(own[own != NO_LABEL] // 2) == {query.absent[0]}
            assert set(window.labels(drawn)[window.labels(drawn) >= 0] // 2) == {query.absent[1]}
        stretch = drawn.input_ids[size:]
        assert len(stretch) == 30
        wanted = query.target[slice(query.absent[3], query.absent[4] + 1)]
        assert tokenizer.decode(wanted) == "the pump is here"
        assert any((stretch[i : i + len(wanted)] == wanted).all() for i in range(30 - len(wanted) + 1))
        places.add(tuple(stretch[:3]))
    assert len(places) > 3  # drawn anew


@pytest.mark.parametrize(
    ("stretch", "window", "sizes"),
    [(30, 30, [28]), (30, 22, [20, 10]), (43, 22, [20, 20]), (2, 22, [2]), (46, 22, [20, 20, 6])],
)
def test_a_remainder_that_says_nothing_is_no_pair(stretch, window, sizes):
    """Windows have two more tokens; 28 of 30 leave two, which would be told from other documents' whole windows."""
    text = {"id": "a", "text": " ".join(f"w{i}" for i in range(200))}
    task, tokenizer = Retrieval(stretch_tokens=stretch), make_tokenizer()
    query, *_ = task.encode(split(task, asked(documents=[text, TEXTS[1]])), tokenizer)
    windows = task.training_windows(task.resample(query, 1), lambda part: Chunk().windows(part, window))
    assert [len(one.input_ids) - 2 for one in windows[1::2]] == sizes
    assert len(windows[0::2]) == len(sizes)


def test_documents_that_records_share_are_read_once():
    found = split(Retrieval(), asked(), asked(query="what is red?", relevant=["b"]))
    assert [document.id for document in found] == ["0", "document a", "document b", "1"]


def test_records_of_questions_are_queries_for_their_context():
    context = "The pump is in the cellar."
    record = {"context": context, "questions": [
        {"id": "x", "question": "Where is the pump?", "answers": [{"text": "cellar", "answer_start": 19}]},
        {"id": "y", "question": "Who knows?", "answers": []},
    ]}  # fmt: skip
    query, document, other = split(Retrieval(), {"id": "p"} | record, {"id": "r", "context": "Other.", "questions": []}
                                   | {"questions": [{"question": "x", "answers": []}]})  # fmt: skip
    assert (query.fields["relevant"], query.fields["probes"][0]["start"]) == (("p",), 19)
    assert document.fields["text"] == context
    assert other.fields["role"] == DOCUMENT


def test_a_corpus_is_shared_by_all_queries(tmp_path):
    file = tmp_path / "corpus.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in TEXTS))
    bare = {"query": "where?", "relevant": ["b"]}
    found = split(Retrieval(corpus=str(file)), bare, bare)
    assert [document.fields["role"] for document in found] == ["query", "document", "document", "query"]


BAD = [
    ({"documents": TEXTS}, r"q.jsonl line 1 has no field 'query'"),
    (asked(documents=[{"id": "a"}]), r"The text of the field 'documents\[0\]' of q.jsonl line 1 is empty"),
    (asked(documents=[TEXTS[0], TEXTS[0]]), r"The id 'a' of 'documents\[1\]' of q.jsonl line 1 is already that of"),
    (asked(documents="a"), r"The field 'documents' of q.jsonl line 1 is of type str: give a list"),
    (asked(relevant=["c"]), r"'relevant' of q.jsonl line 1 names 'c', which is none of the 2 documents"),
    (asked(relevant=[]), r"The field 'relevant' of q.jsonl line 1 is an empty list"),
    (asked(relevant=[1.5]), r"The field 'relevant\[0\]' of q.jsonl line 1 is of type float"),
    ({"query": "where?", "relevant": ["a"]}, r"q.jsonl line 1 has no field 'documents', and there is no corpus"),
    (asked(query=" "), r"The field 'query' of q.jsonl line 1 is an empty text"),
    (asked(probes=[{"document": "a", "start": 3, "end": 99}]), r"The field 'probes\[0\]' of q.jsonl line 1 is"),
]


@pytest.mark.parametrize(("record", "sentence"), BAD)
def test_a_bad_record_is_named_by_file_line_and_field(record, sentence):
    with pytest.raises(UserError, match=sentence):
        split(Retrieval(), record)


def test_one_id_for_two_texts_is_refused():
    other = asked(documents=[{"id": "a", "text": "another"}])
    with pytest.raises(UserError, match=r"'a' of the field 'documents\[0\]' of q.jsonl line 2 has another text"):
        split(Retrieval(), asked(), other)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("{", "line 1 is no JSON"), ('{"id": "a"}', r"The text of task.corpus=\S+ line 1 is empty"), ("", "no document")],
)
def test_a_bad_corpus_is_named_by_file_and_line(tmp_path, content, sentence):
    file = tmp_path / "corpus.jsonl"
    file.write_text(content)
    with pytest.raises(UserError, match=sentence):
        split(Retrieval(corpus=str(file)), {"query": "where?", "relevant": ["a"]})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"combine": "sum"}, "task.combine=sum"), ({"temperature": 0}, "temperature"), ({"query_tokens": 0}, "query_tok")],
)
def test_bad_options_are_refused(options, sentence):
    with pytest.raises(UserError, match=sentence):
        Retrieval(**options)
