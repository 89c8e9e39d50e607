"""Plug-ins are found without running their code, and nothing else is found through them."""

import sys

import pytest

from ctxlab.command.compose import compose
from ctxlab.config import build, catalogue, signatures
from ctxlab.core import plugins
from ctxlab.core.errors import UserError
from ctxlab.data.sources.generated import Generated, grammars
from ctxlab.evaluation.evaluator import metric
from ctxlab.evaluation.scores import statistic

BOMB = "raise SystemExit('this file was run')\n"
PART = """# A part of another distribution.
_target_: otherlab.parts.Mine
window: 3 # tokens
"""
MINE = """
from ctxlab.strategies.attention.local import Local
class Mine(Local):
    def __init__(self, window: int = 3): ...
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of installed distributions: ``otherlab`` declares itself, ``silent`` does not."""
    for name, point in (("otherlab", "[ctxlab.plugins]\nother = otherlab\n"), ("silent", "")):
        package, info = tmp_path / name, tmp_path / f"{name}-1.dist-info"
        for folder in (package / "conf" / "strategy" / "attention", package / "corpora", info):
            folder.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(point)
        (package / "__init__.py").write_text(BOMB)
        (package / "parts.py").write_text(BOMB + MINE)
        (package / "corpora" / "herbal.py").write_text(BOMB)
        (package / "conf" / "strategy" / "attention" / f"of_{name}.yaml").write_text(PART)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_options_are_listed_composed_and_checked_without_running_the_plugin(site):
    options = catalogue.options("strategy/attention")
    assert "of_otherlab" in options
    assert "of_silent" not in options
    file = catalogue.option_file("strategy/attention", "of_otherlab")
    assert catalogue.summary(file) == "A part of another distribution."
    assert catalogue.tree("train", {"strategy/attention": "of_otherlab"})["strategy.attention.window"].value == "3"
    cfg = compose("train", ["strategy/attention=of_otherlab", "strategy.attention.window=5"])
    assert cfg.strategy.attention == {"_target_": "otherlab.parts.Mine", "window": 5}
    build.check_target("otherlab.parts.Mine")
    assert signatures.classes("otherlab.parts") == ["Mine"]
    assert signatures.annotations("otherlab.parts", "Mine") == {"window": int}
    assert signatures.names("otherlab.parts", "Mine", "supports") == {"encoder", "decoder", "encoder_decoder"}
    assert "herbal" in grammars()
    assert "otherlab" not in sys.modules


def test_without_the_plugin_its_option_is_unknown():
    with pytest.raises(UserError, match="there is no strategy/attention 'of_otherlab'"):
        compose("train", ["strategy/attention=of_otherlab"])


def test_an_option_of_ctxlab_is_never_replaced(site):
    (site / "otherlab" / "conf" / "strategy" / "attention" / "local.yaml").write_text(PART)
    (site / "otherlab" / "corpora" / "ner.py").write_text(BOMB)
    assert catalogue.option_file("strategy/attention", "local").is_relative_to(catalogue.conf_dir())
    assert compose("train", ["strategy/attention=local"]).strategy.attention._target_.startswith("ctxlab.")
    assert catalogue.options("strategy/attention").count("local") == 1
    assert "tags" in Generated(words_per_document=40).load("ner", "test", 0)[0].fields


def test_what_leaves_the_folder_of_options_is_none(site):
    folder = site / "otherlab" / "conf" / "strategy" / "attention"
    (site / "elsewhere.yaml").write_text(PART)
    (folder / "linked.yaml").symlink_to(site / "elsewhere.yaml")
    assert catalogue.has_option("strategy/attention", "of_otherlab")
    assert not catalogue.has_option("strategy/attention", "linked")
    assert not catalogue.has_option("strategy/attention", "../../../../elsewhere")


def test_a_missing_module_of_a_plugin_is_named_before_it_is_imported(site):
    with pytest.raises(UserError, match=r"no module otherlab\.part\."):
        build.check_target("otherlab.part.Mine")


@pytest.mark.parametrize("name", ["silent.parts", "os.path", "ctxlab.cli", "otherlab..parts", "otherlab._hidden", "",
                                  "otherlab.parts/", ".parts", "no_such_metric", "../answers"])  # fmt: skip
def test_metrics_and_statistics_are_found_in_declared_plugins_only(site, name):
    assert plugins.source(name) is None
    for look_up in (metric, statistic):
        with pytest.raises(UserError, match="There is no"):
            look_up(name)


def test_a_statistic_of_a_plugin_that_is_not_there_says_so():
    with pytest.raises(UserError, match="the plug-in longlab, not installed here"):
        statistic("longlab.sufficient.tagging")


def test_a_module_without_the_function_is_no_metric(site):
    (site / "otherlab" / "__init__.py").write_text("")
    (site / "otherlab" / "empty.py").write_text("")
    with pytest.raises(UserError, match="has no function score"):
        metric("otherlab.empty")
    for name in [name for name in sys.modules if name.split(".")[0] == "otherlab"]:
        del sys.modules[name]
