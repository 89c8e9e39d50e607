"""A rate of dropout that changes nothing is refused by every source of models, and one that does is where it says."""

import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.models.loading.checkpointed import Checkpointed
from ctxlab.models.pretrained import Pretrained
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_gpt2 import TinyGpt2
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.models.tiny_t5 import TinyT5

SAID = (r"model\.dropout=0\.2 changes nothing in LlamaForCausalLM, which has no dropout on hidden states \(it has "
        r"model\.attention_dropout\): leave it out")  # fmt: skip


def rates(model):
    return {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}


@pytest.mark.parametrize("make", [TinyBert, TinyGpt2, TinyLlama, TinyT5])
def test_a_rate_that_is_asked_for_is_in_the_model(make):
    assert 0.2 in rates(make(dropout=0.2).build("token_classification", ["O", "B-X"]))


@pytest.mark.parametrize("head", ["causal_lm"])
def test_a_model_without_dropout_refuses_a_rate(head, tmp_path):
    with pytest.raises(UserError, match=SAID):
        TinyLlama(dropout=0.2).build(head, [])
    TinyLlama(dropout=0.0).build(head, []).save_pretrained(tmp_path)
    for source in (Pretrained(str(tmp_path), dropout=0.2), Checkpointed(str(tmp_path), dropout=0.2)):
        with pytest.raises(UserError, match=SAID):
            source.build(head, [])
    assert rates(Pretrained(str(tmp_path), attention_dropout=0.2).build(head, [])) <= {0.0}


def test_a_llama_of_a_folder_has_it_before_its_classification_head(tmp_path):
    TinyLlama().build("causal_lm", []).save_pretrained(tmp_path)
    model = Pretrained(str(tmp_path), dropout=0.2).build("token_classification", ["O", "B-X"])
    assert rates(model) == {0.2}
