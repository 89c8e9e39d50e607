"""Real runs of the real command, on a tiny model and small generated documents."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ctxlab.cli import main
from tests.pictures import drawn

SMALL = (
    "task=ner", "model=tiny_bert", "tracking=none", "context=256", "data.documents=6", "data.validation_documents=2",
    "data.test_documents=2", "data.words_per_document=150", "data.evidence_distance=[40]", "trainer.max_steps=4",
    "trainer.tokens_per_step=1024", "trainer.log_every_steps=2", "trainer.precision=fp32",
)  # fmt: skip
"""Options of a run that takes a second."""


def train(folder: Path, *options: str) -> int:
    """Exit status of ``ctxlab train`` into ``folder`` with small options, which ``options`` override."""
    given = {option.split("=")[0] for option in options}
    implied = {"data.documents", "data.validation_documents", "data.test_documents", "data.words_per_document",
               "data.evidence_distance"} if given & {"data.train_file", "data.path"} else set()  # fmt: skip
    defaults = [option for option in SMALL if option.split("=")[0] not in given | implied]
    return main(["train", *defaults, *options, f"hydra.run.dir={folder}"])


def result(folder: Path) -> dict:
    """``result.json`` of a run."""
    return json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A finished run, which tests must not change."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    with drawn():
        assert train(folder) == 0
    return folder


@pytest.fixture
def refused(capsys) -> Callable[..., str]:
    """The message of a command that must be refused."""

    def run(words: Sequence[str], status: int = 2) -> str:
        capsys.readouterr()
        assert main(list(words)) == status
        error = capsys.readouterr().err.strip()
        assert "Traceback" not in error
        *warnings, sentence = error.splitlines()
        assert all("is not used" in warning for warning in warnings), error
        return sentence

    return run
