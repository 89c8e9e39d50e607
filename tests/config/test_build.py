"""The only place that instantiates classes: what it refuses, what it builds, and that refusing runs and imports
nothing."""

import dataclasses
import importlib.metadata
import subprocess
import sys
import types

import pytest
from omegaconf import OmegaConf

import ctxlab.tasks
from ctxlab.config.build import build
from ctxlab.core.errors import UserError

PARTS = """
import os
import subprocess
from os import system
from collections.abc import Sequence
from typing import Literal
from collections import OrderedDict
from ctxlab.core.errors import UserError

made = []

class Part:
    def __init__(self, size, labels=(), name="unnamed"):
        if size < 0:
            raise ValueError(f"size={size} is negative")
        made.append(self)
        self.size, self.labels, self.name = size, labels, name

    class Inner:
        def __init__(self):
            made.append(self)

    def __call__(self, x):
        return x

    @classmethod
    def other(cls):
        made.append(cls)

class Unlabelled:
    def __init__(self, *, size: int = 1):
        self.size = size

class Typed:
    def __init__(self, labels: "Sequence[str] | None" = None, rate: float = 1, rule: Literal["first", "mean"] = "mean"):
        self.values = (labels, rate, rule)

class Sketchy:
    def __init__(self, size: "Unknown"):
        self.size = size

class Anything:
    def __init__(self, **kwargs):
        self.kwargs = kwargs

class _Private:
    def __init__(self):
        made.append(self)

class Picky:
    def __init__(self):
        raise UserError("Picky wants nothing.")

def function(**kwargs):
    made.append(kwargs)

instance = Anything()
Alias = Part
Disguised = type("Disguised", (), {"__module__": "os"})
"""

MODULE = "ctxlab.tasks.fake_parts"

WATCHED = {
    "os.system",
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "pickle.find_class",
    "socket.connect",
    "ctypes.dlopen",
}

executed = []
armed = False


def _watch(event, _):
    if armed and event in WATCHED:
        executed.append(event)


@pytest.fixture(scope="module")
def watched():
    """A hook that Python calls before it starts a program or unpickles; it cannot be removed, so there is only one."""
    sys.addaudithook(_watch)


@pytest.fixture
def alarm(watched, monkeypatch):
    executed.clear()
    monkeypatch.setitem(globals(), "armed", True)


HOSTILE = [
    "os.system",
    "os.popen",
    "os.execv",
    "posix.system",
    "nt.system",
    "subprocess.run",
    "subprocess.Popen",
    "subprocess.check_output",
    "builtins.eval",
    "builtins.exec",
    "builtins.__import__",
    "builtins.open",
    "builtins.getattr",
    "eval",
    "exec",
    "pickle.loads",
    "pickle.load",
    "_pickle.loads",
    "marshal.loads",
    "shelve.open",
    "torch.load",
    "torch.hub.load",
    "torch.jit.load",
    "torch.nn.Linear",
    "numpy.load",
    "joblib.load",
    "transformers.pipeline",
    "transformers.AutoModel.from_pretrained",
    "transformers.AutoTokenizer",
    "huggingface_hub.snapshot_download",
    "huggingface_hub.hf_hub_download",
    "datasets.load_dataset",
    "evaluate.load",
    "importlib.import_module",
    "importlib.reload",
    "runpy.run_path",
    "code.interact",
    "ctypes.CDLL",
    "functools.partial",
    "shutil.rmtree",
    "pathlib.Path",
    "socket.socket",
    "webbrowser.open",
    "hydra.utils.instantiate",
    "hydra.utils.get_method",
    "omegaconf.OmegaConf.load",
    "antigravity.webbrowser",
    "this.is.nowhere",
    "ctxlab",
    "ctxlab.Part",
    "ctxlab.tasks",
    "ctxlab.tasks.Part",
    "ctxlab.cli.main",
    "ctxlab.cli.os.system",
    "ctxlab.cli.sys.exit",
    "ctxlab.config.build.build",
    "ctxlab.config.build.instantiate",
    "ctxlab.config.build.importlib.import_module",
    "ctxlab.command.job.Path",
    "ctxlab.core.errors.UserError",
    "ctxlab.core.files.os.unlink",
    "ctxlab.stages.train.run",
    "ctxlab.training.checkpoint.shutil.rmtree",
    "ctxlab.tasks.os.system",
    "ctxlab.tasks.fake_parts",
    "ctxlab.tasks.fake_parts.os.system",
    "ctxlab.tasks.fake_parts.os",
    "ctxlab.tasks.fake_parts.subprocess.Popen",
    "ctxlab.tasks.fake_parts.system",
    "ctxlab.tasks.fake_parts.OrderedDict",
    "ctxlab.tasks.fake_parts.UserError",
    "ctxlab.tasks.fake_parts.function",
    "ctxlab.tasks.fake_parts.instance",
    "ctxlab.tasks.fake_parts.Alias",
    "ctxlab.tasks.fake_parts.Disguised",
    "ctxlab.tasks.fake_parts._Private",
    "ctxlab.tasks.fake_parts.Part.other",
    "ctxlab.tasks.fake_parts.Part.Inner",
    "ctxlab.tasks.fake_parts.Part.__init__",
    "ctxlab.tasks.fake_parts.Part.__class__",
    "ctxlab.tasks.fake_parts.Part.__subclasses__",
    "ctxlab.tasks.fake_parts.Part.mro",
    "ctxlab.tasks.fake_parts.Part.__init__.__globals__",
    "ctxlab.tasks.fake_parts.__builtins__",
    "ctxlab.tasks.fake_parts.__builtins__.eval",
    "ctxlab.tasks.fake_parts.__loader__.exec_module",
    "ctxlab.tasks.__path__",
    "ctxlab.tasks..fake_parts.Part",
    "ctxlab.tasks.fake_parts.Nothing",
    "ctxlab.tasks.nowhere.Part",
    ".ctxlab.tasks.fake_parts.Part",
    "..tasks.fake_parts.Part",
    "ctxlab.tasks.fake_parts.Part.",
    " ctxlab.tasks.fake_parts.Part",
    "ctxlab.tasks.fake_parts.Part ",
    "ctxlab.tasks.fake_parts.Part\n",
    "ctxlab.tasks .fake_parts.Part",
    "ctxlab/tasks/fake_parts.Part",
    "ctxlab.tasks.fake_parts:Part",
    "сtxlab.tasks.fake_parts.Part",  # Cyrillic с
    "ctxlab.tasks.fake_parts.Рart",  # Cyrillic Р
    "ctxlab.tasks.fake_parts.\uff30art",  # full-width P, which Python would normalise
    "ctxlab_tasks.fake_parts.Part",
    "ctxlabx.tasks.fake_parts.Part",
    "CTXLAB.tasks.fake_parts.Part",
    "file:///etc/passwd",
    "",
    None,
    3,
    True,
    ["ctxlab.tasks.fake_parts.Part"],
    {"_target_": "os.system"},
]


@pytest.fixture
def parts(monkeypatch, tmp_path):
    """A component module with a few permitted and many forbidden names."""
    (tmp_path / "fake_parts.py").write_text(PARTS)
    monkeypatch.setattr(ctxlab.tasks, "__path__", [*ctxlab.tasks.__path__, str(tmp_path)])
    yield importlib.import_module(MODULE)
    sys.modules.pop(MODULE, None)
    vars(ctxlab.tasks).pop("fake_parts", None)


def test_the_audit_hook_works(alarm):
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert executed


def test_there_are_enough_forbidden_targets():
    assert len({repr(target) for target in HOSTILE}) >= 100


@pytest.mark.parametrize("target", HOSTILE, ids=repr)
@pytest.mark.parametrize("style", ["plain", "composed"])
def test_a_forbidden_target_is_refused_and_nothing_happens(parts, tmp_path, alarm, target, style):
    trap = tmp_path / "sprung"
    config = {"_target_": target, "command": f"touch {trap}", "name": str(trap)}
    before = set(sys.modules)
    with pytest.raises(UserError) as caught:
        build(OmegaConf.create({"part": config}).part if style == "composed" else config, object)
    assert "\n" not in str(caught.value)
    assert parts.made == []
    assert not trap.exists()
    assert {name for name in set(sys.modules) - before if not name.startswith("ctxlab")} == set()
    assert executed == []


@pytest.mark.parametrize(
    "extra",
    [
        {"labels": {"_target_": "os.system", "command": "true"}},
        {"labels": [1, {"deep": [{"_target_": MODULE + ".Part"}]}]},
        {"labels": {"a": {"_partial_": True}}},
        {"_args_": [1]},
        {"_partial_": True},
        {"_recursive_": True},
        {"_convert_": "object"},
        {"labels": "${evil}"},
    ],
)
def test_hydra_instantiation_keys_are_refused_anywhere(parts, extra):
    root = OmegaConf.create(
        {"evil": {"_target_": "os.system"}, "part": {"_target_": f"{MODULE}.Part", "size": 1, **extra}}
    )
    with pytest.raises(UserError, match="refused"):
        build(root.part, object)
    assert parts.made == []


def test_a_permitted_part_is_built_from_plain_python(parts):
    root = OmegaConf.create(
        {
            "length": 7,
            "part": {"_target_": f"{MODULE}.Part", "size": "${length}", "labels": ["A", {"b": "\\${x}"}], "name": "p"},
        }
    )
    part = build(root.part, object)
    assert type(part) is parts.Part
    assert part.size == 7
    assert type(part.labels) is list
    assert part.labels == ["A", {"b": "${x}"}]
    assert type(part.labels[1]) is dict
    assert part.name == "p"


@pytest.mark.parametrize("values", [{"labels": ["A"], "rate": 2, "rule": "first"}, {"labels": None, "rate": 0.5}, {}])
def test_values_that_fit_their_annotations_pass(parts, values):
    assert build({"_target_": f"{MODULE}.Typed"} | values, object).values == (
        values.get("labels"), values.get("rate", 1), values.get("rule", "mean")
    )  # fmt: skip
    assert build({"_target_": f"{MODULE}.Sketchy", "size": "whatever"}, object).size == "whatever"


def test_keywords_of_the_program_win_and_pass_untouched(parts):
    @dataclasses.dataclass
    class Opaque:
        value: int

    opaque, iterator = Opaque(1), iter([1])
    part = build({"_target_": f"{MODULE}.Part", "size": 1, "labels": []}, object, labels=opaque, name=iterator)
    assert part.labels is opaque
    assert part.name is iterator


def test_the_name_is_a_label_unless_the_class_asks_for_it(parts):
    assert build({"_target_": f"{MODULE}.Unlabelled", "name": "x", "size": 4}, object).size == 4
    assert build({"_target_": f"{MODULE}.Part", "name": "x", "size": 4}, object).name == "x"
    assert build({"_target_": f"{MODULE}.Anything", "name": "x", "a": 4}, object).kwargs == {"name": "x", "a": 4}


@pytest.mark.parametrize(
    ("config", "parts_of_the_sentence"),
    [
        ({"_target_": f"{MODULE}.Part", "sise": 1}, ["part: ", "'sise'", "'size'", "labels"]),
        ({"_target_": f"{MODULE}.Part"}, ["part: ", "size"]),
        ({"_target_": f"{MODULE}.Part", "size": "???"}, ["part.size", "missing"]),
        ({"_target_": f"{MODULE}.Part", "size": -1}, ["part: ", "size=-1 is negative"]),
        ({"_target_": f"{MODULE}.Picky"}, ["Picky wants nothing."]),
        ({"_target_": f"{MODULE}.Unlabelled", "size": "big"}, ["part.size=big", "a whole number"]),
        ({"_target_": f"{MODULE}.Unlabelled", "size": 1.5}, ["part.size=1.5", "a whole number"]),
        ({"_target_": f"{MODULE}.Unlabelled", "size": True}, ["part.size=True", "a whole number"]),
        ({"_target_": f"{MODULE}.Typed", "labels": "PER"}, ["part.labels=PER", "a list", "null"]),
        ({"_target_": f"{MODULE}.Typed", "rate": "fast"}, ["part.rate=fast", "a number"]),
        ({"_target_": f"{MODULE}.Typed", "rule": "third"}, ["part.rule=third", "first or mean"]),
        ({"_target_": f"{MODULE}.Prat", "size": 1}, ["'Part'"]),
        ({"size": 1}, ["part", "_target_"]),
    ],
)
def test_mistakes_in_a_part_are_named(parts, config, parts_of_the_sentence):
    with pytest.raises(UserError) as caught:
        build(OmegaConf.create({"part": config}).part, object)
    for part in parts_of_the_sentence:
        assert part in str(caught.value)


def _plugin(monkeypatch, value):
    point = importlib.metadata.EntryPoint("mine", value, "ctxlab.plugins")
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda **kwargs: [point] if kwargs == {"group": "ctxlab.plugins"} else []
    )


def test_a_plugin_is_accepted_only_while_it_declares_itself(monkeypatch, tmp_path):
    (tmp_path / "my_plugin").mkdir()
    (tmp_path / "my_plugin" / "__init__.py").touch()
    (tmp_path / "my_plugin" / "parts.py").write_text("import subprocess\nclass Mine:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match="entry point"):
        build({"_target_": "my_plugin.parts.Mine"}, object)
    assert "my_plugin" not in sys.modules
    _plugin(monkeypatch, "my_plugin.anything")
    assert type(build({"_target_": "my_plugin.parts.Mine"}, object)).__name__ == "Mine"
    with pytest.raises(UserError):
        build({"_target_": "my_plugin.parts.subprocess.Popen"}, object)
    for name in ("my_plugin", "my_plugin.parts"):
        sys.modules.pop(name)


@pytest.mark.parametrize("value", ["subprocess", "os:system", "ctxlab.cli:main", "builtins"])
def test_a_plugin_cannot_open_the_standard_library_or_the_rest_of_ctxlab(monkeypatch, value):
    _plugin(monkeypatch, value)
    for target in ("subprocess.Popen", "os.system", "builtins.object", "ctxlab.command.stage_error.StageError"):
        with pytest.raises(UserError):
            build({"_target_": target}, object)


def test_nothing_else_in_ctxlab_instantiates():
    root = importlib.import_module("ctxlab").__path__[0]
    found = subprocess.run(
        ["grep", "-rlE", r"instantiate|get_class\(|get_method\(|get_object\(", "--include=*.py", root],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert [path.removeprefix(root + "/") for path in found] == ["config/build.py"]


def test_the_check_is_not_fooled_by_a_module_in_disguise(parts, monkeypatch):
    fake = types.ModuleType("elsewhere")
    fake.Evil = type("Evil", (), {"__module__": "elsewhere"})
    monkeypatch.setitem(sys.modules, f"{MODULE}.sub", fake)
    with pytest.raises(UserError):
        build({"_target_": f"{MODULE}.sub.Evil"}, object)
