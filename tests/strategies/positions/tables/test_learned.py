"""Extended tables hold the expected rows, work, and reload from the saved folder alone."""

import pytest
import torch
from torch.testing import assert_close
from transformers import AutoModelForTokenClassification

from ctxlab.core.architecture import learned_tables
from ctxlab.core.errors import UserError
from ctxlab.strategies.positions.interpolate import Interpolate
from ctxlab.strategies.positions.keep import Keep
from ctxlab.strategies.positions.random import Random
from ctxlab.strategies.positions.tile import Tile

LEARNED = ["bert", "roberta", "distilbert", "electra", "albert", "gpt2"]
PARTS = [Tile(), Interpolate(), Random(seed=3)]
OFFSET = {"roberta": 2}


def rows(model):
    (table,) = learned_tables(model)
    return table.module.weight.detach().clone()


@pytest.mark.parametrize("kind", LEARNED)
@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_works_at_four_times_the_length_and_reloads_alone(tiny, tmp_path, kind, part):
    model = tiny(kind, positions=32)
    part.extend(model, 128)
    ids = torch.randint(5, 60, (2, 128))
    mask = torch.ones_like(ids)
    mask[1, 100:] = 0
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=mask).logits
        model.save_pretrained(tmp_path)
        again = AutoModelForTokenClassification.from_pretrained(tmp_path).eval()
        assert torch.equal(again(input_ids=ids, attention_mask=mask).logits, logits)
    assert again.config.max_position_embeddings == 128 + OFFSET.get(kind, 0)
    assert again.config.ctxlab["positions"]["trained_length"] == 32
    with pytest.raises((IndexError, RuntimeError, ValueError)):  # the table is not longer than asked for either
        model(input_ids=torch.randint(5, 60, (1, 129)))


@pytest.mark.parametrize("kind", LEARNED)
def test_tile_repeats_the_trained_rows(tiny, kind):
    model, offset = tiny(kind, positions=10), OFFSET.get(kind, 0)
    before = rows(model)
    Tile().extend(model, 25)
    after = rows(model)
    assert torch.equal(after[:offset], before[:offset])
    for position in range(25):
        assert torch.equal(after[offset + position], before[offset + position % 10])
    assert len(after) == offset + 25


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_interpolate_interpolates_the_trained_rows(tiny, kind):
    model, offset = tiny(kind, positions=11), OFFSET.get(kind, 0)
    before = rows(model)
    Interpolate().extend(model, 41)
    after = rows(model)
    assert torch.equal(after[:offset], before[:offset])
    # 40 steps over 10: every fourth row is a trained one, those between lie on the line.
    assert_close(after[offset::4], before[offset:])
    for position in range(41):
        low, share = divmod(position, 4)
        high = min(low + 1, 10)
        expected = before[offset + low] * (1 - share / 4) + before[offset + high] * (share / 4)
        assert_close(after[offset + position], expected)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_random_keeps_the_trained_rows_and_draws_the_others(tiny, kind):
    offset = OFFSET.get(kind, 0)
    tables = []
    for seed in (1, 1, 2):
        model = tiny(kind, positions=10)
        before = rows(model)
        Random(seed).extend(model, 2000)
        tables.append(rows(model))
    new = tables[0][offset + 10 :]
    assert torch.equal(tables[0][: offset + 10], before)
    assert torch.equal(tables[0], tables[1])
    assert not torch.equal(tables[0], tables[2])
    assert new.std().item() == pytest.approx(0.3, rel=0.02)  # the models of these tests are drawn with 0.3
    assert new.mean().abs().item() < 0.01


def test_logits_within_the_trained_length_stay(tiny):
    """Tile and random leave the first positions as they were, for RoBERTa's offset too."""
    for kind in LEARNED:
        for part in (Tile(), Random()):
            plain, model = tiny(kind, positions=32), tiny(kind, positions=32)
            part.extend(model, 100)
            ids = torch.randint(5, 60, (1, 32))
            with torch.no_grad():
                assert torch.equal(plain(input_ids=ids).logits, model(input_ids=ids).logits)


@pytest.mark.parametrize("part", [*PARTS, Keep()], ids=lambda part: type(part).__name__)
@pytest.mark.parametrize("kind", [*LEARNED, "modernbert", "llama"])
def test_nothing_happens_where_the_length_fits(tiny, kind, part):
    model = tiny(kind, positions=64)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    config = model.config.to_dict()
    part.extend(model, 64)
    assert model.config.to_dict() == config
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_rotary_positions_are_not_a_table(tiny, part):
    with pytest.raises(UserError, match="`llama` has none: use context=64"):
        part.extend(tiny("llama", positions=64), 65)


def test_the_table_still_learns(tiny):
    model = tiny("roberta", positions=16)
    Tile().extend(model, 64)
    model(input_ids=torch.randint(5, 60, (1, 64))).logits.sum().backward()
    (table,) = learned_tables(model)
    assert table.module.weight.grad.shape == (66, 32)
    assert (table.module.weight.grad[2:].abs().sum(1) > 0).all()


def test_extending_twice_counts_from_the_longer_table(tiny):
    model = tiny("bert", positions=8)
    before = rows(model)
    Tile().extend(model, 16)
    Tile().extend(model, 32)
    assert torch.equal(rows(model), before.repeat(4, 1))
    assert model.config.max_position_embeddings == 32


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_extending_twice_keeps_the_note_of_the_trained_length(tiny, part):
    model = tiny("bert", positions=8)
    part.extend(model, 12)  # not a multiple: rows 12 to 19 are not those of a single extension
    with torch.no_grad():
        learned_tables(model)[0].module.weight[10] += 1.0  # as training at 12 tokens would
    part.extend(model, 20)
    note = {"name": part.name, "trained_length": 8, "extended_from": 12, "length": 20}
    assert model.config.ctxlab["positions"] == note
    assert part.deviation(model, 20) == pytest.approx(0.0, abs=1e-6)
    before = rows(model)
    Tile().grow(model, 8, 20)
    assert torch.equal(rows(model)[:12], before[:12])  # what the checkpoint has learned stays


def test_declarations():
    assert not Keep().extends
    assert all(part.extends and part.kinds == {"learned"} for part in PARTS)
