"""The page of strategies is made from the files, and the committed one is the one that they make."""

import json
from pathlib import Path

import pytest

from ctxlab.command import strategies
from ctxlab.config import catalogue
from ctxlab.config.build import locate
from scripts import docs

REPOSITORY = Path(__file__).resolve().parents[2]
PARTS = [(family, name) for family in strategies.FAMILIES for name in catalogue.options(f"strategy/{family}")]


@pytest.mark.parametrize("pair", PARTS, ids="/".join)
def test_every_part_says_what_it_costs_and_when_not_to_use_it(pair):
    entry = strategies.part(*pair)
    assert len(entry.sentence) > 20
    assert entry.cost
    assert entry.not_for


def test_what_is_read_of_a_class_without_importing_it_is_what_it_says():
    for family, name in PARTS:
        cls = locate(catalogue.read(catalogue.option_file(f"strategy/{family}", name))["_target_"])
        assert set(strategies.part(family, name).kinds) == set(getattr(cls, "supports", ())), name


def test_models_are_those_that_the_class_declares_and_all_parts_share():
    assert strategies.part("reading", "chunk").kinds == ["decoder", "encoder", "encoder_decoder"]
    assert strategies.part("curriculum", "constant").kinds == []
    shared = set(strategies.part("attention", "local").kinds) & set(strategies.part("positions", "tile").kinds)
    assert set(strategies.preset("longformer").kinds) == shared
    assert strategies.preset("yarn").papers == ("2309.00071",)
    assert strategies.composition("longformer") == "chunk + tile + local"


def test_the_committed_page_is_current():
    assert (REPOSITORY / "docs" / "strategies.md").read_text(encoding="utf-8") == strategies.page(), "run make docs"


def test_the_command_prints_the_page_as_markdown(ctxlab):
    assert ctxlab("strategies", "--markdown").out == strategies.page()


def test_the_listing_names_every_preset_and_part_in_80_columns(ctxlab, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = ctxlab("strategies").out.splitlines()
    assert max(map(len, shown)) <= 80
    begun = {line.split()[0] for line in shown if line.startswith("  ") and line[2] != " "}
    assert begun == {*catalogue.options("strategy"), *(name for _, name in PARTS)}


def test_one_strategy_whole(ctxlab, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = ctxlab("strategies", "yarn").out
    assert max(map(len, shown.splitlines())) <= 80
    parts = [
        "strategy=yarn\n",
        "strategy/positions=yarn\n",
        "strategy/reading=chunk\n",
        "https://arxiv.org/abs/2309.00071",
    ]
    for part in [*parts, "cost", "not for", "strategy.positions.beta_fast=32.0", "strategy.reading.merge="]:
        assert part in shown
    assert "strategy=" not in ctxlab("strategies", "local").out  # a part alone
    refused = ctxlab("strategies", "yarm")
    assert refused.status == 2
    assert "did you mean 'yarn'?" in refused.err


def test_figures_of_the_bench_go_into_the_file_once(tmp_path, monkeypatch):
    part = tmp_path / "local.yaml"
    part.write_text("# What it is.\n# Cost: much\n# Not for: some\nkey: 1 # a key\n")
    bench = tmp_path / "attention.json"
    what = "local attention, forward + backward, float32: times faster than dense SDPA at 8,192"
    monkeypatch.setattr(docs, "FIGURES", bench)
    monkeypatch.setattr(docs, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(catalogue, "option_file", lambda *_: part)
    monkeypatch.setattr(strategies, "page", lambda: "page")
    for measured in (3.14159, 12.0):
        bench.write_text(json.dumps({"rows": [{"what": what, "measured": measured}]}))
        docs.main()
    assert part.read_text() == (
        "# What it is.\n# Cost: much\n# Measured: 12 × dense SDPA at 8,192, forward and backward\n# Not for: some\n"
        "key: 1 # a key\n"
    )
