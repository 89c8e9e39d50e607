"""What does not work with dealt weights is refused by name, with what does; and so is a model that would learn anew."""

from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from transformers import BertConfig, BertForTokenClassification

from ctxlab.core.errors import UserError
from ctxlab.core.objective import Objective
from ctxlab.objectives.standard import Standard
from ctxlab.optim.averaging.ema import EMA
from ctxlab.optim.averaging.none import NoAveraging
from ctxlab.optim.optimizers.adafactor import Adafactor
from ctxlab.optim.optimizers.adamw import Adamw
from ctxlab.optim.tuning.bitfit import Bitfit
from ctxlab.optim.tuning.full import Full
from ctxlab.runtime import sharded
from ctxlab.runtime.ranks import Ranks
from ctxlab.strategies.curriculum.constant import Constant
from ctxlab.strategies.curriculum.progressive import Progressive
from ctxlab.strategies.curriculum.self_paced import SelfPaced
from ctxlab.strategies.memory.recurrent import Recurrent
from ctxlab.strategies.positions.dynamic_ntk import DynamicNtk
from ctxlab.strategies.positions.tile import Tile
from ctxlab.strategies.reading.hierarchical import Hierarchical
from ctxlab.workbench.sharded import begin, check_sharding


class Undeclared(Objective):
    """Says nothing of its passes, as an objective of a plug-in may."""

    def step(self, passes, items, task):
        yield from ()


def model(cls=BertForTokenClassification):
    torch.manual_seed(0)
    config = BertConfig(vocab_size=30, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=8)
    return cls(config)


def parts(**changes):
    usual = {
        "objective": Standard(), "optimizer": Adamw(1e-3, 0.0, (0.9, 0.99), 1e-8), "tuning": Full(),
        "averaging": NoAveraging(),
    }  # fmt: skip
    return SimpleNamespace(**{**usual, **{key: changes[key] for key in usual if key in changes}})


def bench(**changes):
    strategy = SimpleNamespace(
        attention=SimpleNamespace(wants_marks=False),
        memory=changes.pop("memory", SimpleNamespace(sequential=False, num_added=0)),
        positions=changes.pop("positions", SimpleNamespace(by_batch=False, extends=False)),
        reading=changes.pop("reading", SimpleNamespace(joins=False)),
        curriculum=changes.pop("curriculum", Constant()),
    )
    settings = {"sharding": "full", "lanes": None, "context_parallel": 1, **changes.pop("settings", {})}
    usual = {
        "settings": SimpleNamespace(**settings), "strategy": strategy, "length": 512,
        "model": changes.pop("model", None),
        "accelerator": SimpleNamespace(mixed_precision="no", device=torch.device("cpu")),
        "facts": SimpleNamespace(kind="encoder", positions="learned"), "task": SimpleNamespace(name="ner"),
    }  # fmt: skip
    built = SimpleNamespace(**{**usual, **{key: changes[key] for key in usual if key in changes}})
    built.model = model() if built.model is None else built.model
    return built


def with_span(family):
    built = model()
    built.ctxlab_parts = torch.nn.ModuleDict({family: torch.nn.Linear(2, 2)})
    return built


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"settings": {"lanes": 4}},
            "trainer.lanes=4 sums them apart: leave out trainer.lanes, or trainer.sharding=null",
        ),
        ({"settings": {"context_parallel": 2}}, "was not tried with trainer.context_parallel=2: use trainer.context_p"),
        (
            {"accelerator": SimpleNamespace(mixed_precision="fp16")},
            "was not tried with trainer.precision=fp16: use trainer.precision=bf16",
        ),
        ({"averaging": EMA(0.05)}, "averaging=ema was not tried with: use averaging=none"),
        ({"curriculum": SelfPaced()}, "strategy/curriculum=self_paced was not tried with: use strategy/curriculum=con"),
        ({"objective": Undeclared()}, "objective=test_sharded does not promise that: use objective=standard"),
        ({"optimizer": Adafactor(1e-3, 0.0, -0.8, 1.0)}, "optimizer=adafactor does not say that it needs no whole"),
        ({"memory": Recurrent()}, "with strategy/memory=recurrent their number depends on the documents: use strategy"),
        ({"reading": Hierarchical()}, "strategy/reading=hierarchical does not support: use strategy/reading=chunk"),
        ({"positions": DynamicNtk()}, "strategy/positions=dynamic_ntk their number depends on the documents"),
        (
            {"curriculum": Progressive(), "positions": Tile()},
            "strategy/curriculum=progressive changes a position table that no process has whole: use strategy/curr",
        ),
        ({"model": with_span("attention")}, "strategy/attention=types has weights of its own outside of the layers"),
        ({"model": with_span("task")}, "task=ner has weights of its own outside of the layers"),
        ({"model": SimpleNamespace(config=None)}, "no layers are found in model type"),
    ],
)
def test_what_cannot_be_dealt_is_refused(changes, sentence):
    if "no layers" in sentence:
        changes = {"model": without_layers()}
    with pytest.raises(UserError) as error:
        check_sharding(parts(**changes), bench(**changes), Ranks(0, 2))
    assert sentence in str(error.value)
    assert str(error.value).startswith("trainer.sharding=full deals the weights to all processes, ")
    assert "\n" not in str(error.value)


def without_layers():
    built = model()
    built.bert.encoder.layer = torch.nn.Identity()
    return built


def test_one_process_is_too_few_and_nothing_is_checked_without_the_setting():
    with pytest.raises(UserError, match=r"there is 1: use trainer\.processes=2 or more"):
        check_sharding(parts(), bench(), Ranks())
    check_sharding(parts(objective=Undeclared()), bench(settings={"sharding": None}), Ranks())


@pytest.mark.parametrize("changes", [{}, {"tuning": Bitfit([])}, {"settings": {"lanes": 2}}])
def test_what_can_be_dealt_is_not_refused(changes):
    check_sharding(parts(**changes), bench(**changes), Ranks(0, 2))


@pytest.fixture
def group():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


class Outside(BertForTokenClassification):
    """Multiplies its outputs by a weight of a layer, without calling that layer."""

    def forward(self, **inputs):
        found = super().forward(**inputs)
        found.logits = found.logits + self.bert.encoder.layer[0].output.dense.bias.sum()
        return found


def test_a_model_that_uses_weights_outside_of_its_layers_is_refused(group):
    right = bench()
    begin(right, Ranks())
    assert sharded.is_dealt(right.model)
    assert all(weight.grad is None for weight in right.model.parameters())
    with pytest.raises(
        UserError, match="does not work with model type `bert`: its outputs or gradients are then others"
    ):
        begin(bench(model=model(Outside)), Ranks())


def test_gradients_that_are_means_and_not_sums_are_noticed(group, monkeypatch):
    deal = sharded.deal

    def halved(dealt, *given):
        deal(dealt, *given)
        for module in sharded._dealt(dealt):
            module.set_gradient_divide_factor(2.0)

    monkeypatch.setattr(sharded, "deal", halved)
    with pytest.raises(UserError, match="its outputs or gradients are then others"):
        begin(bench(), Ranks())
