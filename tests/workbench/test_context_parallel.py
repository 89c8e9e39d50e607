"""What cannot be split among processes is refused by name, with what can."""

from types import SimpleNamespace

import pytest
import torch

from ctxlab.core import prefix
from ctxlab.core.errors import UserError
from ctxlab.runtime.ranks import Ranks
from ctxlab.strategies.attention.bigbird import BigBird
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.attention.local import Local
from ctxlab.strategies.attention.lsh import Lsh
from ctxlab.strategies.curriculum.constant import Constant
from ctxlab.strategies.curriculum.self_paced import SelfPaced
from ctxlab.strategies.memory.recurrent import Recurrent
from ctxlab.strategies.positions.dynamic_ntk import DynamicNtk
from ctxlab.strategies.reading.hierarchical import Hierarchical
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.lm import LM
from ctxlab.tasks.mlm import MLM
from ctxlab.tasks.ner import NER
from ctxlab.tasks.qa import QA
from ctxlab.tasks.relation import Relation
from ctxlab.workbench.context_parallel import check_split


def with_prefix():
    module = torch.nn.Linear(2, 2)
    setattr(module, prefix.ATTRIBUTE, ())
    model = torch.nn.ModuleList([module])
    model.config = SimpleNamespace()
    return model


def bench(**changes):
    reading = changes.pop("reading", SimpleNamespace(joins=False))
    reading.longest = lambda length: length
    strategy = SimpleNamespace(
        attention=changes.pop("attention", Local(window=64)),
        memory=changes.pop("memory", SimpleNamespace(sequential=False, num_added=0)),
        positions=changes.pop("positions", SimpleNamespace(by_batch=False)),
        curriculum=changes.pop("curriculum", Constant()),
        reading=reading,
    )
    usual = {
        "settings": SimpleNamespace(context_parallel=2), "task": NER(), "length": 512, "strategy": strategy,
        "facts": SimpleNamespace(kind="encoder"), "model": SimpleNamespace(config=SimpleNamespace(), modules=list),
    }  # fmt: skip
    return SimpleNamespace(**{**usual, **changes})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"attention": BigBird()}, "strategy/attention=bigbird attend further than to the next part: use strategy/att"),
        ({"attention": Full()}, "strategy/attention=full attend further than to the next part"),
        ({"attention": Lsh()}, "strategy/attention=lsh attend further than to the next part"),
        ({"memory": Recurrent()}, "which strategy/memory=recurrent does not support: use strategy/memory=none"),
        ({"curriculum": SelfPaced()}, "for strategy/curriculum=self_paced: use strategy/curriculum=constant"),
        ({"reading": Hierarchical()}, "which strategy/reading=hierarchical does not support: use strategy/reading=ch"),
        ({"positions": DynamicNtk()}, "strategy/positions=dynamic_ntk depends on the longest window of a batch"),
        ({"task": Classification()}, "the loss of task=classification is not a sum over tokens: use task=ner, lm or"),
        ({"task": QA()}, "the loss of task=qa is not a sum over tokens"),
        ({"task": Relation()}, "the loss of task=relation is not a sum over tokens"),
        ({"facts": SimpleNamespace(kind="encoder_decoder")}, "which encoder-decoders do not support: use model=minilm"),
        (
            {"model": SimpleNamespace(config=SimpleNamespace(attention_dropout=0.1))},
            "which dropout of attention weights does not support: use model.attention_dropout=0.",
        ),
        (
            {"model": with_prefix()},
            "which tuning=prefix and tuning=prompt do not support: use tuning=lora, or trainer",
        ),
        (
            {"length": 100},
            "gives each process 50 of a window's 100 tokens, and strategy/attention=local reaches 64 to each side: use "
            "context=128 or more, a smaller strategy.attention.window, or fewer processes.",
        ),
        (
            {"settings": SimpleNamespace(context_parallel=3)},
            "trainer.context_parallel=3 needs 3 processes for each window, and there are 4",
        ),
    ],
)
def test_what_cannot_be_split_is_refused(changes, sentence):
    with pytest.raises(UserError) as error:
        check_split(bench(**changes), Ranks(0, 4))
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("task", [NER(), LM(), MLM()])
def test_what_can_be_split_is_not_refused(task):
    check_split(bench(task=task), Ranks(0, 4))


def test_one_process_is_too_few():
    with pytest.raises(UserError, match=r"there is 1 process: use ctxlab train with trainer\.processes=2"):
        check_split(bench(), Ranks())
    check_split(bench(settings=SimpleNamespace(context_parallel=1), attention=Full()), Ranks())
