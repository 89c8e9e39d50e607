"""Spaces that cannot be searched are refused before a directory is made, with the place of the key."""

from pathlib import Path

import pytest

from ctxlab.cli import main


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("strategy: {choice: [chunk, longfromer]}", "strategy: strategy=longfromer: there is no strategy 'longfromer'"),
        ("strategy/reading: {choice: [chnk]}", "did you mean 'chunk'"),
        ("context: {choice: [512, 8]}", "context=8 is too small"),
        ("context.length: {int: [8, 64]}", "context.length=8 is too small"),
        ("context.length: {choice: [512, many]}", "context.length=many is not a whole number"),
        ("trainer.precision: {choice: [fp32, fp64]}", "trainer.precision=fp64 is not known"),
        ("strategy.attention.windw: {choice: [64]}", "There is no key strategy.attention.windw"),
        ("trainer.max_steps: {int: [1, 5]}", "is searched, and trainer.max_steps=3 is given too"),
        ("context: {choice: [512]}\ncontext.length: {choice: [512]}", "under another name"),
    ],
)
def test_a_space_is_checked_by_composing_its_values(line, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("space.yaml").write_text(f"{line}\n")
    assert main(["sweep", "model=tiny_bert", "strategy=chunk" if "strategy:" not in line else "seed=1",
                 "sweep.space=space.yaml", "trainer.max_steps=3"]) == 2  # fmt: skip
    error = capsys.readouterr().err
    assert error.startswith("space.yaml, line ")
    assert says in error
    assert [path.name for path in Path().iterdir()] == ["space.yaml"]
