"""Every component is a subclass of its group's protocol; a class that lacks a method fails where it is defined."""

import importlib
import importlib.metadata
import inspect
import re
import sys
from abc import ABC, abstractmethod

import pytest

from ctxlab.config import catalogue
from ctxlab.config.build import build, locate
from ctxlab.core.audit import Check
from ctxlab.core.augmentation import Augmentation
from ctxlab.core.compression import Compression
from ctxlab.core.continual import Continual
from ctxlab.core.contract import Component
from ctxlab.core.data import Source
from ctxlab.core.errors import UserError
from ctxlab.core.explanation import Explanation
from ctxlab.core.export import Exporter
from ctxlab.core.knowledge import Knowledge
from ctxlab.core.labelling import Labelling
from ctxlab.core.model import ModelSource
from ctxlab.core.monitoring import Detector
from ctxlab.core.objective import Objective
from ctxlab.core.optim import Averaging, OptimizerFactory, Schedule, Tuning
from ctxlab.core.privacy import Privacy
from ctxlab.core.runtime import Runtime
from ctxlab.core.strategy import Attention, Curriculum, Memory, Positions, Reading
from ctxlab.core.task import Task
from ctxlab.core.tracking import Tracker

PROTOCOLS = {
    "data": Source,
    "model": ModelSource,
    "optimizer": OptimizerFactory,
    "scheduler": Schedule,
    "strategy/attention": Attention,
    "strategy/curriculum": Curriculum,
    "strategy/memory": Memory,
    "strategy/positions": Positions,
    "strategy/reading": Reading,
    "task": Task,
    "tracking": Tracker,
    "tuning": Tuning,
    "averaging": Averaging,
    "objective": Objective,
    "continual": Continual,
    "augment": Augmentation,
    "perturb": Augmentation,
    "knowledge": Knowledge,
    "label": Labelling,
    "audit": Check,
    "explanation": Explanation,
    "compression": Compression,
    "export": Exporter,
    "runtime": Runtime,
    "privacy": Privacy,
    "drift": Detector,
    "surge": Detector,
}
"""By the group of ``conf`` whose files name its components."""

TARGETS = [
    (group, catalogue.read(catalogue.option_file(group, option))["_target_"])
    for group in catalogue.groups()
    for option in catalogue.options(group)
    if "_target_" in catalogue.read(catalogue.option_file(group, option))
]


@pytest.mark.parametrize(("group", "target"), TARGETS, ids=str)
def test_a_component_implements_the_protocol_of_its_group(group, target):
    cls = locate(target)
    assert issubclass(cls, PROTOCOLS[group])
    assert not inspect.isabstract(cls)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=lambda protocol: protocol.__name__)
def test_a_class_that_leaves_one_method_out_cannot_be_defined(protocol):
    """Python's own list of abstract methods is the oracle: each one is left out alone, then all of them together."""
    assert protocol.__abstractmethods__
    for missed in sorted(protocol.__abstractmethods__):
        others = {name: lambda self: None for name in protocol.__abstractmethods__ - {missed}}
        with pytest.raises(TypeError, match=rf"\.Forgetful does not define {missed}, .* {protocol.__name__} needs"):
            type("Forgetful", (protocol,), others)
        type("Shared", (protocol, ABC), others)  # a base of others may leave it out
    with pytest.raises(TypeError) as caught:
        type("Forgetful", (protocol,), {})
    for name in protocol.__abstractmethods__:
        assert re.search(rf"\b{name}\b", str(caught.value))
    type("Whole", (protocol,), {name: lambda self: None for name in protocol.__abstractmethods__})()


def test_abstract_methods_of_a_shared_base_bind_its_components_alone():
    class Base(Schedule, ABC):
        def factor(self, progress: float) -> float:
            return self.decay(progress)

        @abstractmethod
        def decay(self, progress: float) -> float: ...

    class Flat(Base):
        def decay(self, progress: float) -> float:
            return 1.0

    assert Flat().factor(0.5) == 1.0
    with pytest.raises(TypeError, match=r"Steep does not define decay, which every Schedule needs"):

        class Steep(Base):
            pass


def test_each_protocol_of_core_is_that_of_a_group():
    assert set(PROTOCOLS.values()) <= set(Component.__subclasses__())
    ours = {cls for cls in Component.__subclasses__() if cls.__module__.startswith("ctxlab.core.")}
    assert ours == set(PROTOCOLS.values())


PLUGIN = """
from ctxlab.core.optim import Schedule, Tuning

class Halves(Schedule):
    def factor(self, progress):
        return 0.5

class Alike:
    def factor(self, progress):
        return 0.5

class Nothing(Tuning):
    def install(self, model):
        pass
"""


@pytest.fixture
def plugin(monkeypatch, tmp_path):
    """A package of another distribution, which declares the entry point."""
    (tmp_path / "my_plugin").mkdir()
    (tmp_path / "my_plugin" / "__init__.py").touch()
    (tmp_path / "my_plugin" / "schedules.py").write_text(PLUGIN)
    (tmp_path / "my_plugin" / "forgetful.py").write_text(
        "from ctxlab.core.optim import Schedule\nclass Forgetful(Schedule):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    point = importlib.metadata.EntryPoint("mine", "my_plugin", "ctxlab.plugins")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point])
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "my_plugin"]:
        sys.modules.pop(name)


def test_a_plugin_that_implements_the_protocol_is_built(plugin):
    assert build({"_target_": "my_plugin.schedules.Halves"}, Schedule).factor(0.1) == 0.5


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("my_plugin.schedules.Alike", "no protocol"),
        ("my_plugin.schedules.Nothing", "Tuning"),
        ("ctxlab.optim.tuning.full.Full", "Tuning"),
        ("ctxlab.tracking.none.NoTracking", "Tracker"),
    ],
)
def test_a_class_of_another_kind_is_refused_in_one_sentence(plugin, target, found):
    with pytest.raises(UserError) as caught:
        build({"_target_": target}, Schedule)
    assert str(caught.value) == (
        f"_target_ {target} implements {found}, where Schedule is needed: "
        "name a subclass of ctxlab.core.optim.Schedule."
    )


def test_a_plugin_that_leaves_a_method_out_fails_when_it_is_imported(plugin):
    with pytest.raises(
        TypeError, match=r"my_plugin\.forgetful\.Forgetful does not define factor, which every Schedule"
    ):
        importlib.import_module("my_plugin.forgetful")
