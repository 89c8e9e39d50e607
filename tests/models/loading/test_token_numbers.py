"""What numbers add to a model: nothing at the start, a projection or rows of buckets later; saved with the model."""

import copy

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from ctxlab.core.architecture import installed
from ctxlab.core.errors import UserError
from ctxlab.core.numbers import NUMBERS, Numbers
from ctxlab.core.types import Encoded, Window
from ctxlab.data import token_file
from ctxlab.models.loading.checkpointed import Checkpointed, save_weights
from ctxlab.models.loading.token_numbers import TokenNumbers, install_numbers, taken_by
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.optim.tuning.full import Full
from ctxlab.runtime.collate import collate
from tests.strategies.conftest import VOCABULARY, tiny  # noqa: F401

KINDS = ["bert", "roberta", "distilbert", "electra", "modernbert", "llama", "gpt2", "t5"]
BOXES = Numbers(kind="boxes", buckets=10, pages=2)


def inputs():
    ids = torch.randint(3, VOCABULARY, (2, 20), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 13:] = 0
    return {"input_ids": ids, "attention_mask": mask}


def boxes():
    draw = torch.Generator().manual_seed(2)
    low = 400 * torch.rand(2, 20, 2, generator=draw)
    high = low + 500 * torch.rand(2, 20, 2, generator=draw)
    return torch.cat([low, high, torch.randint(0, 2, (2, 20, 1), generator=draw)], dim=-1)


def filled(model):
    """Numbers with an effect."""
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.ctxlab_parts[NUMBERS].parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw))
    return model


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("numbers", [BOXES, Numbers(kind="floats", size=5)], ids=["boxes", "floats"])
def test_outputs_are_those_of_text_alone_to_the_bit_at_the_start_and_others_later(tiny, kind, numbers):  # noqa: F811
    model, given = tiny(kind), inputs()
    before = model(**given).logits
    install_numbers(model, numbers)
    assert torch.equal(model(**given, numbers=boxes()).logits, before)
    assert torch.equal(model(**given).logits, before)
    filled(model)
    assert torch.equal(model(**given).logits, before)  # text alone is still text alone
    assert torch.equal(model(**given, numbers=torch.zeros(2, 20, 5)).logits, before)
    assert not torch.allclose(model(**given, numbers=boxes()).logits, before)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["bert", "modernbert", "llama", "gpt2"])
def test_embeddings_and_token_ids_are_the_same_way(tiny, kind):  # noqa: F811
    model = tiny(kind)
    install_numbers(model, BOXES)
    filled(model)
    given = inputs()
    by_ids = model(**given, numbers=boxes()).logits
    own = model.get_input_embeddings()(given.pop("input_ids"))
    assert_close(model(**given, inputs_embeds=own, numbers=boxes()).logits, by_ids, atol=1e-6, rtol=1e-6)


def test_floats_are_projected():
    module = TokenNumbers(Numbers(kind="floats", size=3), 4)
    torch.nn.init.normal_(module.weight)
    given = torch.randn(2, 7, 3)
    expected = torch.stack([sum(row[i] * module.weight[i] for i in range(3)) for row in given.flatten(0, 1)])
    assert_close(module(given).flatten(0, 1), expected)


def test_a_box_adds_the_row_of_its_bucket_for_each_side_and_that_of_its_page():
    module = TokenNumbers(BOXES, 4)
    torch.nn.init.normal_(module.sides)
    torch.nn.init.normal_(module.pages)
    given = torch.tensor([[[0.0, 99, 101, 1000, 1], [0, 0, 0, 0, 0], [950, 1, 1000, 500, 7]]])
    sides, pages = module.sides, module.pages
    first = sides[0, 0] + sides[1, 0] + sides[2, 1] + sides[3, 9] + pages[1]
    last = sides[0, 9] + sides[1, 0] + sides[2, 9] + sides[3, 4] + pages[1]
    assert_close(module(given)[0], torch.stack([first, torch.zeros(4), last]))


def test_only_what_the_numbers_name_gets_a_gradient():
    module = TokenNumbers(BOXES, 4)
    module(torch.tensor([[[5.0, 5, 5, 5, 0], [0, 0, 0, 0, 0]]])).sum().backward()
    assert int(module.sides.grad.any(-1).sum()) == 4
    assert module.pages.grad.any(-1).tolist() == [True, False]


def test_a_copy_of_a_model_has_numbers_of_its_own():
    model = TinyBert(hidden_size=32, num_layers=1).build("token_classification", ["a", "b"])
    install_numbers(model, BOXES)
    other = copy.deepcopy(model)
    filled(other)
    given = {**inputs(), "numbers": boxes()}
    with torch.no_grad():
        assert torch.equal(model(**given).logits, model(**inputs()).logits)
        assert not torch.equal(other(**given).logits, model(**given).logits)


def test_numbers_are_saved_with_the_model_and_loaded_by_its_note(tmp_path):
    model = TinyBert(hidden_size=32, num_layers=1).build("token_classification", ["a", "b"])
    install_numbers(model, BOXES)
    save_weights(filled(model), Full(), tmp_path)
    source = Checkpointed(str(tmp_path))
    again = source.build("token_classification", ["a", "b"])
    install_numbers(again, source.taken_numbers(again.config))
    source.load_added_modules(again)
    assert taken_by(again) == BOXES
    given = {**inputs(), "numbers": boxes()}
    with torch.no_grad():
        assert torch.equal(again(**given).logits, model(**given).logits)


def test_without_numbers_the_note_of_an_earlier_run_goes():
    model = TinyBert(hidden_size=32, num_layers=1).build("token_classification", ["a", "b"])
    install_numbers(model, BOXES)
    del model.ctxlab_parts[NUMBERS]
    install_numbers(model, Numbers())
    assert not installed(model.config, NUMBERS)


def test_a_model_that_reads_other_embeddings_is_refused():
    model = TinyBert(hidden_size=32, num_layers=1).build("token_classification", ["a", "b"])
    unused = torch.nn.Embedding(VOCABULARY, 32)
    model.get_input_embeddings = lambda: unused
    install_numbers(model, BOXES)
    with pytest.raises(UserError, match="has no effect in model type `bert`"):
        model(**inputs(), numbers=boxes())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("boxes", "write model.numbers.kind=boxes"),
        ({"kind": "box"}, "model.numbers.kind=box is not one of none, floats, boxes"),
        ({"kind": "floats", "size": 0}, "model.numbers.size=0 must be at least 1"),
        ({"kind": "boxes", "buckets": 1.5}, "model.numbers.buckets=1.5 is not a value such as 64"),
        ({"sort": "boxes"}, "model.numbers.sort is not known"),
    ],
)
def test_options_that_make_no_sense(given, message):
    with pytest.raises(UserError, match=message):
        TinyBert(numbers=given)


def numbered(count=6):
    values = np.arange(count * 2, dtype=np.float32).reshape(count, 2) + 1
    ids = np.arange(count)
    return Encoded(ids, ids, labels=ids, numbers=values)


def test_numbers_are_cut_as_labels_are_and_0_beside_the_document():
    window = Window(np.array([9, 2, 3, 9]), np.array([-1, 2, 3, -1]))
    encoded = numbered()
    assert window.labels(encoded).tolist() == [-100, 2, 3, -100]
    assert window.numbers(encoded).tolist() == [[0, 0], [5, 6], [7, 8], [0, 0]]
    assert window.numbers(Encoded(encoded.input_ids, encoded.word_ids, encoded.labels)).shape == (4, 0)


def test_a_batch_has_numbers_only_where_tokens_have_some():
    windows = [Window(np.arange(3), np.arange(3)), Window(np.arange(2), np.arange(2))]
    batch = collate(windows, None, 0, numbers=[np.ones((3, 2), np.float32), np.ones((2, 2), np.float32)], least=4)
    assert batch["numbers"].tolist() == [[[1, 1]] * 3 + [[0, 0]], [[1, 1]] * 2 + [[0, 0]] * 2]
    assert "numbers" not in collate(windows, None, 0, numbers=[np.ones((3, 0)), np.ones((2, 0))])


def test_the_cache_of_tokens_keeps_them(tmp_path):
    plain = Encoded(np.arange(3), np.arange(3), np.arange(3))
    token_file.write(tmp_path / "tokens", [numbered(), plain, numbered(2)])
    found = token_file.TokenFile(tmp_path / "tokens")
    assert [one.numbers.shape for one in found] == [(6, 2), (0, 0), (2, 2)]
    assert found[2].numbers.tolist() == [[1, 2], [3, 4]]
