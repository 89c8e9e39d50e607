"""LSH attention equals dense attention under the pairs that its buckets give, outputs and gradients."""

import copy
import itertools
import math
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from transformers.masking_utils import bidirectional_mask_function, causal_mask_function

from ctxlab.core.errors import UserError
from ctxlab.strategies.attention.kernels import chunks
from ctxlab.strategies.attention.kernels.hashing import hash_tokens, num_buckets, rotations
from ctxlab.strategies.attention.lsh import Buckets, Lsh
from tests.selection import EXAMPLES


def pairs_of_rounds(part, buckets):
    """(B, H, R, L, L) bool: pairs that each round of LSH attention finds, by the definition.

    A round's own pairs only: that a token sees itself, and what the model hides, come on top.
    """
    batch, heads, rounds, length = buckets.query.shape
    groups = heads // buckets.key.shape[1]
    pairs = torch.zeros(batch, heads, rounds, length, length, dtype=torch.bool)
    for row, head, turn in itertools.product(range(batch), range(heads), range(rounds)):
        query, key = buckets.query[row, head, turn].tolist(), buckets.key[row, head // groups, turn].tolist()
        for one, others in neighbours(part, query, key):
            pairs[row, head, turn, one, others] = True
    return pairs


def neighbours(part, query, key):
    """Each query, and the keys that it sees, of one head in one round."""
    queries = sorted((bucket, token) for token, bucket in enumerate(query) if bucket >= 0)
    keys = sorted((bucket, token) for token, bucket in enumerate(key) if bucket >= 0)
    num_chunks, found = math.ceil(len(keys) / part.chunk), []
    for first in range(0, len(queries), part.chunk):
        mine = queries[first : first + part.chunk]
        middle = mine[min(part.chunk // 2, len(mine) - 1)]
        met = max(0, sum(code <= middle for code in keys) - 1) // part.chunk
        seen = {(met + offset) % num_chunks for offset in range(-1, part.num_after + 1)}
        others = [token for place, (_, token) in enumerate(keys) if place // part.chunk in seen]
        found += [(token, others) for _, token in mine]
    return found


def seen_by(part, buckets, causal, real):
    """(B, H, L, L): what any round finds and the model allows, and each token itself as the part says."""
    length = real.shape[1]
    itself = torch.eye(length, dtype=torch.bool)
    seen = pairs_of_rounds(part, buckets).any(2) & ~itself
    if causal:
        seen &= torch.ones(length, length).tril().bool()
    alone = ~seen.any(-1, keepdim=True) if part.tied else torch.tensor(True)
    return seen | (itself & alone)


def dense(query, key, value, seen, scaling):
    """Softmax attention (B, H, L, D) under ``seen`` (B, H, L, L), in float64."""
    key, value = (part.repeat_interleave(query.shape[1] // part.shape[1], 1) for part in (key, value))
    scores = (torch.einsum("bhqd,bhkd->bhqk", query, key) * scaling).masked_fill(~seen, -math.inf)
    return torch.einsum("bhqk,bhkd->bhqd", scores.softmax(-1), value)


@st.composite
def cases(draw):
    length, batch = draw(st.integers(1, 90)), draw(st.integers(1, 3))
    key_heads = draw(st.sampled_from([1, 2, 3]))
    padding = torch.ones(batch, length, dtype=torch.bool)
    side = draw(st.sampled_from(["none", "right", "right", "left"]))
    for row in range(batch if side != "none" else 0):
        lost = draw(st.integers(0, length))
        padding[row, slice(length - lost, None) if side == "right" else slice(0, lost)] = False
    return example(
        length=length, batch=batch, heads=key_heads * draw(st.sampled_from([1, 2])), key_heads=key_heads,
        causal=draw(st.booleans()), padding=padding, padded=side != "none", scaling=draw(st.sampled_from([None, 0.3])),
        places=draw(st.sampled_from([8, 40, 4096])), seed=draw(st.integers(0, 10_000)),
        buckets=draw(st.sampled_from([0, 0, 1, 2, 7])),
    )  # fmt: skip


@st.composite
def parts(draw):
    return Lsh(
        chunk=draw(st.integers(2, 24)), num_after=draw(st.integers(0, 2)), rounds=draw(st.integers(1, 4)),
        tied=draw(st.sampled_from([False, False, True])), seed=draw(st.integers(0, 99)),
    )  # fmt: skip


def example(**changes):
    padding = torch.ones(2, 90, dtype=torch.bool)
    padding[1, 70:] = False
    base = {
        "length": 90, "batch": 2, "heads": 4, "key_heads": 2, "causal": False, "padding": padding, "padded": True,
        "scaling": None, "places": 24, "seed": 1, "buckets": 0,
    }  # fmt: skip
    return SimpleNamespace(**base | changes)


def given_buckets(part, case, query, key):
    """Those of the hash, or any others: the kernel must not depend on how they came about."""
    if not case.buckets:
        return part.buckets(query, key, case.padding)
    shape = part.rounds, case.length
    drawn = [torch.randint(case.buckets, (case.batch, heads, *shape)) for heads in (case.heads, case.key_heads)]
    drawn = [one.masked_fill(~case.padding[:, None, None], -1) for one in drawn]
    return Buckets(drawn[0], drawn[0 if part.tied else 1])


def run(part, case, oracle=None, dtype=torch.float32):
    """Outputs and gradients of the kernel and of dense attention in float64, over real tokens and padding."""
    torch.manual_seed(case.seed)
    inputs = [torch.randn(case.batch, case.length, heads, 5).transpose(1, 2).to(dtype)
              for heads in (case.heads, case.key_heads, case.key_heads)]  # fmt: skip
    upstream = torch.randn(case.batch, case.heads, case.length, 5).to(dtype)
    buckets = given_buckets(part, case, *inputs[:2])
    rows = iter(zip(buckets.query, buckets.key, case.padding, strict=True))

    def replay(query, key):
        of_query, of_key, real = next(row for row in rows if row[2].any())
        return of_query[..., real], of_key[..., real]

    ours = [tensor.clone().requires_grad_() for tensor in inputs]
    with mock.patch.object(chunks, "PLACES_PER_CALL", case.places), mock.patch.object(part, "_hash", replay):
        mask = part._mask(
            case.batch, case.length, case.length, attention_mask=case.padding if case.padded else None,
            mask_function=causal_mask_function if case.causal else bidirectional_mask_function,
        )  # fmt: skip
        output = part._attend(SimpleNamespace(), *ours, mask, scaling=case.scaling)[0].transpose(1, 2)
        output.backward(upstream * case.padding[:, None, :, None])
    theirs = [tensor.double().requires_grad_() for tensor in inputs]
    oracle = oracle or part
    seen = seen_by(oracle, Buckets(buckets.query[:, :, : oracle.rounds], buckets.key[:, :, : oracle.rounds]),
                   case.causal, case.padding)  # fmt: skip
    query, key, value = theirs
    if part.tied:
        key = query / query.norm(dim=-1, keepdim=True) * query.shape[-1] ** 0.5
    expected = dense(query, key, value, seen, case.scaling or 5**-0.5)
    real = case.padding[:, None, :, None]
    expected = expected * real
    expected.backward(upstream.double())
    zeros = [tensor.grad if tensor.grad is not None else torch.zeros_like(tensor) for tensor in (*ours, *theirs)]
    return [(output * real).double(), *(one.double() for one in zeros[:3])], [expected, *zeros[3:]]


def deviation(found, expected):
    return max(float((one - other).detach().abs().max()) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("examples", EXAMPLES)
def test_equals_dense_attention_given_the_same_buckets(examples):
    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(parts(), cases())
    def check(part, case):
        for ours, theirs in zip(*run(part, case), strict=True):
            assert_close(ours, theirs, atol=1e-5, rtol=0)

    check()


@pytest.mark.by_default(1)
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_the_oracle_notices_planted_faults(causal, tied):
    """A chunk one token longer, one more chunk looked back at, a round dropped."""
    part, case = Lsh(chunk=8, rounds=2, tied=tied), example(causal=causal)
    assert deviation(*run(part, case)) <= 1e-5
    for wrong in (
        Lsh(chunk=9, rounds=2, tied=tied),
        Lsh(chunk=8, rounds=2, num_after=1, tied=tied),
        Lsh(chunk=8, rounds=1, tied=tied),
    ):
        assert deviation(*run(part, case, oracle=wrong)) > 1e-2


def test_the_oracle_notices_a_pair_that_is_counted_twice():
    part, case = Lsh(chunk=8, rounds=3), example(buckets=1)
    assert deviation(*run(part, case)) <= 1e-5
    plain = chunks.cut

    def blind(*arguments):
        cut = plain(*arguments)
        return replace(cut, query_spans=torch.full_like(cut.query_spans, -1))

    with mock.patch("ctxlab.strategies.attention.lsh.cut", blind):
        assert deviation(*run(part, case)) > 1e-2


def test_pairs_by_hand():
    """Six tokens, chunks of two. Sorted queries: 1 3 | 5 0 | 2 4; sorted keys: 0 1 | 4 5 | 2 3."""
    query = torch.tensor([1, 0, 2, 0, 2, 0])
    key = torch.tensor([0, 0, 2, 2, 1, 1])
    found = pairs_of_rounds(Lsh(chunk=2, rounds=1), Buckets(query[None, None, None], key[None, None, None]))[0, 0, 0]
    # Middle queries 3, 0, 4: before bucket 0 and position 3 stand two keys, and two before bucket 1 and position 0,
    # so that both blocks meet the first chunk, before which lies the last; query 4 comes behind all keys.
    first, last = {0, 1, 2, 3}, {2, 3, 4, 5}
    expected = [first, first, last, first, last, first]
    assert [set(row.nonzero().flatten().tolist()) for row in found] == expected


@pytest.mark.parametrize("causal", [False, True])
def test_two_chunks_are_full_attention(tiny, causal):
    model = tiny("llama" if causal else "bert")
    plain = copy.deepcopy(model)
    Lsh(chunk=30, rounds=1).install(model)
    torch.manual_seed(1)
    ids, mask = torch.randint(5, 60, (2, 90)), torch.ones(2, 90, dtype=torch.long)
    mask[1, 60:] = 0
    with torch.no_grad():
        found, expected = (one(input_ids=ids, attention_mask=mask).logits for one in (model, plain))
    assert_close(found[1, :60], expected[1, :60], atol=2e-5, rtol=0)
    assert (found - expected)[0].abs().max() > 1e-2


@pytest.mark.parametrize("kind", ["bert", "llama", "roberta", "distilbert", "gpt2", "modernbert"])
def test_batched_equals_alone_and_padding_changes_nothing(tiny, kind):
    torch.manual_seed(1)
    ids, mask = torch.randint(5, 60, (2, 90)), torch.ones(2, 90, dtype=torch.long)
    mask[1, 70:] = 0
    other = ids.clone()
    other[1, 70:] = 7
    for tied in (False, True):
        model = tiny(kind)
        Lsh(chunk=8, rounds=2, tied=tied).install(model)
        with torch.no_grad():
            together = model(input_ids=ids, attention_mask=mask).logits[1, :70]
            alone = model(input_ids=ids[1:, :70]).logits[0]
            changed = model(input_ids=other, attention_mask=mask).logits[1, :70]
        assert_close(together, alone, atol=2e-5, rtol=0)
        assert torch.equal(together, changed)


def test_packed_documents_and_a_mask_for_scalars():
    """Tolerance: fp32."""
    torch.manual_seed(0)
    part = Lsh(chunk=8, rounds=2)
    query, key, value = (torch.randn(2, 4, 90, 5) for _ in range(3))
    document = torch.arange(90) // 35
    packed = (document[:, None] == document[None]).expand(2, 1, -1, -1)
    real = torch.ones(2, 90, dtype=torch.bool)
    seen = seen_by(part, part.buckets(query, key), False, real) & packed | torch.eye(90, dtype=torch.bool)
    found = part._attend(SimpleNamespace(is_causal=False), query, key, value, packed)[0].transpose(1, 2)
    assert_close(found, dense(query, key, value, seen, 5**-0.5), atol=1e-5, rtol=0)
    results = [
        part._attend(SimpleNamespace(), query, key, value, part._mask(
            2, 90, 90, mask_function=causal_mask_function, attention_mask=example().padding, use_vmap=vmap,
        ))[0]
        for vmap in (False, True)
    ]  # fmt: skip
    assert torch.equal(*results)


def test_queries_that_read_a_cache_see_all_of_it():
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 2, 90, 5) for _ in range(3))
    mask = Lsh(chunk=8)._mask(1, 1, 90, q_offset=89, mask_function=causal_mask_function)
    found = Lsh(chunk=8)._attend(SimpleNamespace(), query[:, :, -1:], key, value, mask)[0].transpose(1, 2)
    every = torch.ones(1, 1, 1, 90, dtype=torch.bool)
    assert_close(found, dense(query[:, :, -1:], key, value, every, 5**-0.5), atol=1e-5, rtol=0)
    with pytest.raises(NotImplementedError, match="cache"):
        Lsh(chunk=8, tied=True)._mask(1, 1, 90, q_offset=89, mask_function=causal_mask_function)


def test_dropout_keeps_the_mean_and_its_gradient():
    torch.manual_seed(0)
    part = Lsh(chunk=8, rounds=2)
    query, key, value = (torch.randn(1, 2, 40, 4, dtype=torch.float64, requires_grad=True) for _ in range(3))

    def attend(query, key, value, dropout=0.3):
        torch.manual_seed(3)
        return part._attend(SimpleNamespace(is_causal=False), query, key, value, None, dropout=dropout)[0]

    # The same draw each time: finite differences must agree.
    assert torch.autograd.gradcheck(attend, (query, key, value), fast_mode=True)
    torch.manual_seed(0)
    drawn = [part._attend(SimpleNamespace(is_causal=False), query, key, value, None, dropout=0.3)[0] for _ in range(60)]
    assert not torch.equal(drawn[0], drawn[1])
    assert (torch.stack(drawn).mean(0) - attend(query, key, value, 0.0)).abs().mean() < 0.08


def test_near_vectors_share_buckets():
    torch.manual_seed(0)
    tokens = torch.randn(1, 400, 16)
    near = hash_tokens(tokens + 0.1 * torch.randn(1, 400, 16), 1, 4, 64, 0)
    own, far = hash_tokens(tokens, 1, 4, 64, 0), hash_tokens(torch.randn(1, 400, 16), 1, 4, 64, 0)
    assert own.min() >= 0
    assert own.max() < 64
    assert len(own.unique()) > 50
    assert (own == near).float().mean() > 0.5
    assert (own == far).float().mean() < 0.05
    assert torch.equal(own, hash_tokens(tokens * 7, 1, 4, 64, 0))
    assert [num_buckets(length, 64) for length in (1, 64, 128, 129, 256, 8192)] == [2, 2, 4, 4, 8, 256]
    assert torch.equal(rotations(0, 2, 1, 4, 3)[0], rotations(0, 1, 1, 4, 3)[0])
    assert not torch.equal(rotations(0, 1, 1, 4, 3), rotations(1, 1, 1, 4, 3))


def test_pairs_count_what_the_kernel_computes():
    part = Lsh(chunk=8, rounds=2)
    assert part.pairs(16) == 256
    assert part.pairs(90) == 2 * 96 * 16 + 90
    assert Lsh().pairs(16384) <= 14 * Lsh().pairs(2048)


def test_the_saved_config_says_what_was_installed(tiny):
    model = tiny("bert")
    Lsh(chunk=8, rounds=2, tied=True).install(model)
    declared = {"name": "lsh", "chunk": 8, "num_after": 0, "rounds": 2, "tied": True, "seed": 0}
    assert model.config.ctxlab["attention"] == declared
    assert Lsh().allowed(torch.arange(3)[:, None], torch.arange(4)[None], 4).sum() == 12


@pytest.mark.parametrize("option", [{"chunk": 1}, {"num_after": -1}, {"rounds": 0}, {"seed": -1}])
def test_sizes_that_make_no_sense_are_refused(option):
    ((name, value),) = option.items()
    with pytest.raises(UserError, match=f"^strategy.attention.{name}={value} "):
        Lsh(**option)
