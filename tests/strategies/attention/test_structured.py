"""Global tokens where the document has structure: which they are, and that the kernel gives each window its own."""

from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from torch.testing import assert_close
from transformers.masking_utils import bidirectional_mask_function, causal_mask_function

from ctxlab.core.errors import UserError
from ctxlab.core.types import GIVEN, HEADING, PARAGRAPH, SENTENCE
from ctxlab.strategies.attention import structured
from ctxlab.strategies.attention.kernels import blocks, latest, plan, spans
from ctxlab.strategies.attention.kernels.structure import choose, salient
from ctxlab.strategies.attention.structured import Structured
from tests.selection import EXAMPLES
from tests.strategies.attention.kernels.test_sparse import dense


def marked(length, **places):
    marks = np.zeros(length, dtype=np.int64)
    for mark, indices in places.items():
        marks[indices] += {"sentences": SENTENCE, "paragraphs": PARAGRAPH, "headings": HEADING, "given": GIVEN}[mark]
    return marks


def test_each_source_gives_its_positions_and_the_salient_ones_come_first():
    marks = marked(100, sentences=[0, 10, 20, 30, 40], paragraphs=[0, 30], headings=[60], given=[99])
    ids = np.zeros(100, dtype=np.int64)
    every = ("sentences", "paragraphs", "headings", "given")
    assert choose(ids, marks, ["paragraphs"], 0, 64).tolist() == [0, 30]
    assert choose(ids, marks, every, 0, 64).tolist() == [0, 10, 20, 30, 40, 60, 99]
    assert choose(ids, marks, every, 0, 3).tolist() == [0, 60, 99]
    assert choose(ids, marks, every, 0, 4).tolist() == [0, 30, 60, 99]
    assert choose(ids, marks, every, 0, 4, first=1).tolist() == [0, 10, 30, 60, 99]
    spread = choose(ids, marked(100, sentences=range(0, 100, 2)), ["sentences"], 0, 5)
    assert spread.tolist() == [0, 20, 40, 60, 80]


def test_salience_is_tf_idf_over_the_sentences_of_the_window():
    """Hand-made sentences, counted by scikit-learn."""
    sentences = ["a b a c", "a d d d", "a b e", "a f"]
    names = sorted({name for text in sentences for name in text.split()})
    ids = np.array([names.index(name) for text in sentences for name in text.split()])
    starts = np.cumsum([0, *(len(text.split()) for text in sentences[:-1])])
    table = CountVectorizer(token_pattern=r"\S+").fit(sentences)
    counts = table.transform(sentences).toarray()
    weight = counts.sum(0) * np.log((1 + 4) / (1 + (counts > 0).sum(0)))
    best = [str(name) for name in np.asarray(table.get_feature_names_out())[np.argsort(-weight, kind="stable")]]
    assert best[0] == "d"
    found = salient(ids, marked(len(ids), sentences=starts), 2)
    assert {names[ids[place]] for place in found} == set(best[:2])
    assert found.tolist() == [list(ids).index(ids[place]) for place in found]  # each at its first place
    assert salient(ids, marked(len(ids), sentences=starts), 10).tolist() != []
    assert 0 not in salient(ids, marked(len(ids), sentences=starts), 10)  # what every sentence has says nothing


@st.composite
def cases(draw):
    length, batch = draw(st.integers(1, 90)), draw(st.integers(1, 3))
    key_heads = draw(st.sampled_from([1, 2]))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    real = torch.ones(batch, length, dtype=torch.bool)
    for row in range(batch if draw(st.booleans()) else 0):
        lost = draw(st.integers(0, length - 1))
        real[row, slice(length - lost, None) if draw(st.booleans()) else slice(0, lost)] = False
    return SimpleNamespace(
        part=Structured(
            window=draw(st.integers(1, 20)),
            max_global=draw(st.integers(1, 12)),
            num_salient=draw(st.integers(0, 4)),
            num_global=draw(st.integers(0, 3)),
        ),
        ids=torch.from_numpy(random.integers(0, 12, (batch, length))),
        marks=torch.from_numpy(random.choice([0, 0, 0, 0, 1, 3, 5, 8], (batch, length))),
        real=real,
        causal=draw(st.booleans()),
        heads=2 * key_heads,
        key_heads=key_heads,
    )


def run(case, wrong=0):
    """Outputs and gradients of kernel and oracle; ``wrong`` moves the oracle's global tokens."""
    inputs = {"input_ids": case.ids, "attention_mask": case.real, "marks": case.marks}
    batch, length = case.ids.shape
    tensors = [torch.randn(batch, heads, length, 5) for heads in (case.heads, case.key_heads, case.key_heads)]
    upstream = torch.randn(batch, case.heads, length, 5)
    case.part.is_causal = case.causal
    case.part.choose_global(inputs)
    library = causal_mask_function if case.causal else bidirectional_mask_function
    mask = case.part._mask(batch, length, length, mask_function=library, attention_mask=case.real)
    ours = [tensor.clone().requires_grad_() for tensor in tensors]
    output = case.part._attend(SimpleNamespace(is_causal=case.causal), *ours, mask)[0].transpose(1, 2)
    output.backward(upstream)
    query, key = torch.arange(length)[:, None], torch.arange(length)[None]
    seen = torch.stack([case.part.pattern(inputs, row)(query + wrong, key + wrong, length) for row in range(batch)])
    seen &= case.real[:, None] & ((key <= query) | torch.tensor(not case.causal))
    seen = seen | (~seen.any(-1, keepdim=True) & torch.eye(length, dtype=torch.bool))
    theirs = [tensor.double().requires_grad_() for tensor in tensors]
    expected = dense(*theirs, seen[:, None], 5**-0.5)
    expected.backward(upstream.double())
    return [output, *(t.grad for t in ours)], [expected, *(t.grad for t in theirs)], mask


@pytest.mark.parametrize("examples", EXAMPLES)
def test_equals_dense_attention_under_the_pattern_of_each_window(examples):
    blocked = 0

    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(cases())
    def check(case):
        nonlocal blocked
        torch.manual_seed(0)
        found, expected, mask = run(case)
        blocked += isinstance(mask.plans[0].mask, blocks.BlockMask)
        for a, b in zip(found, expected, strict=True):
            assert_close(a.double(), b, atol=1e-5, rtol=0)

    small = [mock.patch.object(structured, "FIRST_BLOCK", 4), mock.patch.object(plan, "SMALLEST_BLOCK", 4),
             mock.patch.object(spans, "TOKENS_PER_CALL", 24), mock.patch.object(latest, "KNOWN_AFTER", 2)]  # fmt: skip
    with small[0], small[1], small[2], small[3]:
        check()
    assert blocked > examples // 2


def test_the_oracle_notices_global_tokens_that_are_off_by_one():
    random = np.random.default_rng(0)
    case = SimpleNamespace(
        part=Structured(window=2, max_global=4, num_salient=0, num_global=0),
        ids=torch.from_numpy(random.integers(0, 9, (2, 60))),
        marks=torch.from_numpy(random.choice([0, 0, 0, 0, 1], (2, 60))),
        real=torch.ones(2, 60, dtype=torch.bool), causal=False, heads=2, key_heads=2,
    )  # fmt: skip
    found, expected, _ = run(case, wrong=1)
    assert (found[0] - expected[0]).abs().max() > 1e-2


def by_hand(named, window, most, num_first, query, key):
    """The rule of a causal model in words: neighbours, first tokens, the latest named before the neighbourhood."""
    before = [place for place in np.flatnonzero(named) if place < query - max(window, 16)]
    return key <= query and (query - key <= window or key < num_first or query < num_first or key in before[-most:])


def test_a_decoder_sees_the_latest_named_tokens_before_its_neighbours(tiny):
    random = np.random.default_rng(0)
    part = Structured(window=3, max_global=2, num_global=1)
    part.install(tiny("llama"))
    marks = random.choice([0, 0, 0, SENTENCE, PARAGRAPH + SENTENCE, HEADING, GIVEN], (1, 90))
    pattern = part.pattern({"input_ids": torch.zeros(1, 90, dtype=torch.long), "marks": torch.tensor(marks)}, 0)
    place = torch.arange(90)
    found = pattern(place[:, None], place[None], 90) & (place[None] <= place[:, None])
    expected = [[by_hand(marks[0] > 0, 3, 2, 1, query, key) for key in range(90)] for query in range(90)]
    assert found.tolist() == expected


@pytest.mark.parametrize("at", [None, ["sentences"], ["paragraphs", "headings"], ["given"]])
def test_nothing_before_a_changed_token_changes_in_a_causal_model(tiny, at):
    """Tokens and marks after a position are changed or removed: the outputs before it stay bit-identical."""
    model = tiny("llama")
    Structured(at=at, window=4, max_global=3, num_salient=4).install(model)
    random = np.random.default_rng(0)
    ids = torch.from_numpy(random.integers(5, 60, (20, 120)))
    marks = torch.from_numpy(random.choice([0, 0, 0, 0, 1, 3, 5, 8], (20, 120)))
    other_ids, other_marks, cut = ids.clone(), marks.clone(), 70
    other_ids[:, cut:] = torch.from_numpy(random.integers(5, 60, (20, 50)))
    other_marks[:, cut:] = torch.from_numpy(random.choice([0, 1, 5, 8], (20, 50)))
    with torch.no_grad():
        before = model(input_ids=ids, marks=marks).logits
        after = model(input_ids=other_ids, marks=other_marks).logits
        alone = model(input_ids=ids[:, :cut], marks=marks[:, :cut]).logits
    assert torch.equal(before[:, :cut], after[:, :cut])
    assert_close(before[:, :cut], alone, atol=1e-5, rtol=0)
    assert (before[:, cut:] - after[:, cut:]).abs().max() > 1e-3


def test_salient_terms_that_a_decoder_was_asked_for_are_refused(tiny):
    with pytest.raises(UserError, match="this model is causal: remove salient"):
        Structured(at=["sentences", "salient"]).install(tiny("llama"))


@pytest.mark.parametrize("kind", ["bert", "llama", "t5"])
def test_marks_take_effect_in_a_whole_model(tiny, kind):
    """Each row has its own marks; another mark changes the outputs, and a batch equals its rows alone."""
    model = tiny(kind)
    Structured(window=4, at=["given"], max_global=8, num_global=0).install(model)
    torch.manual_seed(0)
    ids, mask = torch.randint(5, 60, (2, 200)), torch.ones(2, 200, dtype=torch.long)
    mask[1, 170:] = 0
    marks = torch.zeros(2, 200, dtype=torch.long)
    marks[0, 3], marks[1, 100] = GIVEN, GIVEN
    with torch.no_grad():
        together = model(input_ids=ids, attention_mask=mask, marks=marks).logits
        alone = model(input_ids=ids[1:, :170], marks=marks[1:, :170]).logits
        unmarked = model(input_ids=ids, attention_mask=mask).logits
    assert_close(together[1, :170], alone[0], atol=2e-5, rtol=0)
    assert (together[0] - unmarked[0]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("options", "words"),
    [({"at": ["titles"]}, "at=.*headings"), ({"at": []}, "must list"), ({"window": 0}, "window=0"),
     ({"max_global": 0}, "max_global=0")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(options, words):
    with pytest.raises(UserError, match=words):
        Structured(**options)


def test_embeddings_in_place_of_tokens_are_refused(tiny):
    model = tiny("bert")
    Structured(window=4).install(model)
    with pytest.raises(UserError, match="needs token ids"):
        model(inputs_embeds=torch.zeros(1, 8, 32))
