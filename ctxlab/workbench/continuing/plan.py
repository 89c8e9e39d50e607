"""The stages of a run on several corpora: what is written for each, and its composed parts."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from ctxlab.config import catalogue, preflight
from ctxlab.config.nearest import suggestion
from ctxlab.config.redact import redact_yaml, secrets_in
from ctxlab.core.continual import Continual
from ctxlab.core.errors import UserError
from ctxlab.core.files import write_json, write_text
from ctxlab.core.paths import check_there
from ctxlab.workbench.parts import Origin, Parts, Start, make_parts

FOLDER = "stages"
"""Folder of the stages' run directories, which are called 1, 2, …"""

FILE = "stages.json"
"""File with the overrides of the data of each stage, paths absolute; its presence shows that a run has stages."""

OWN = ("continual", "resume", "start", "start_checkpoint")
"""Keys of the whole run, which its stages do not have."""

SEED = "seed"
"""Key of a stage for the seed of its documents."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A stage: one training run."""

    number: int
    """From 0."""
    title: str
    """Name of its corpus in tables."""
    parts: Parts
    hydra_files: Mapping[str, str]
    """Content of the files in ``.hydra`` by name, with which the stage's directory is that of a training run."""

    @property
    def folder(self) -> Path:
        """Return its run directory."""
        return self.parts.origin.run_dir


def stages(parts: Parts) -> list[Stage]:
    """Compose every stage; nothing is written.

    Raises:
        UserError: There are fewer than two stages, or one of them does not compose or names what is not there.
    """
    file = parts.origin.run_dir / FILE
    data = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else _data(parts)
    shared = _shared(parts.continual)
    return [
        _stage(parts, number, [*_without(shared, given["words"]), *given["words"]], str(given["title"]))
        for number, given in enumerate(data)
    ]


def write(run_dir: Path, found: Sequence[Stage], parts: Parts) -> None:
    """Write ``stages.json``, from which a resumed run takes its stages."""
    if not (run_dir / FILE).is_file():
        (run_dir / FOLDER).mkdir(exist_ok=True)
        write_json(run_dir / FILE, _data(parts))
    assert len(json.loads((run_dir / FILE).read_text(encoding="utf-8"))) == len(found)


def prepare(stage: Stage) -> None:
    """Create the directory of a stage that has not begun."""
    hidden = stage.folder / ".hydra"
    hidden.mkdir(parents=True, exist_ok=True)
    for name, text in stage.hydra_files.items():
        write_text(hidden / name, text)
    write_text(stage.folder / "config.yaml", stage.hydra_files["config.yaml"])


def _data(parts: Parts) -> list[dict[str, Any]]:
    """Return title and overrides of the data of each stage.

    Raises:
        UserError: There are too few, or one is not understood.
    """
    given = parts.data.stages
    if not given or len(given) < 2:
        raise UserError(
            "continual= trains on several corpora in sequence: give at least two as data.stages=[…], such as "
            "data.stages=[first.jsonl,second.jsonl]."
        )
    return [_corpus(number, one) for number, one in enumerate(given, start=1)]


def _corpus(number: int, given: Any) -> dict[str, Any]:
    """Return title and overrides of a stage's data, from what ``data.stages`` has of it."""
    if isinstance(given, str) and "=" in given:
        words = shlex.split(given)
        for word in words:
            if not word.startswith(("data=", "data.", "data_seed=")):
                raise UserError(
                    f"data.stages: {word} of stage {number} is no override of the data: give data.<key>=… alone."
                )
        return {"title": str(number), "words": [_absolute(word) for word in words]}
    if isinstance(given, str):
        path = Path(given).expanduser()
        if path.suffix or given.startswith((".", "/", "~")):
            check_there("data.stages", given)
        key = "path" if path.is_dir() or not path.exists() else "train_file"
        return {"title": path.stem, "words": _words({key: given})}
    if isinstance(given, Mapping):
        return {"title": str(number), "words": _words(given)}
    raise UserError(
        f"data.stages: stage {number} is {given!r}: give a path, a hub id, or changes of the keys of data, such as "
        "{train_file: a.jsonl}."
    )


def _words(given: Mapping[str, Any]) -> list[str]:
    """Return the overrides for changes of the keys of ``data``, with the option that these imply.

    Raises:
        UserError: The option has no such key.
    """
    implied = catalogue.implied()
    option = given.get("data") or next((implied[f"data.{key}"][1] for key in given if f"data.{key}" in implied), None)
    chosen = option or HydraConfig.get().runtime.choices["data"]
    known = [*(key.name for key in catalogue.keys(catalogue.option_file("data", str(chosen)))), SEED, "data"]
    for key in given:
        if key not in known:
            raise UserError(f"data.stages: data={chosen} has no key {key}{suggestion(str(key), known, 'keys')}")
    words = [f"data={option}"] if option else []
    for key, value in given.items():
        if key != "data":
            name = "data_seed" if key == SEED else f"data.{key}"
            words.append(_absolute(f"{name}={_text(value)}"))
    return words


def _absolute(word: str) -> str:
    """Return an override with the path in it absolute, so that the run can be resumed from elsewhere."""
    key, _, value = word.partition("=")
    text = value.strip("'\"")
    if (key.endswith("_file") or key == "data.path") and text and text != "null" and Path(text).expanduser().exists():
        return f"{key}={_text(str(Path(text).expanduser().absolute()))}"
    return word


def _text(value: Any) -> str:
    """Return a value as Hydra's grammar writes it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str):
        return QuotedString(value.replace("${", "\\${"), Quote.single).with_quotes()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_text(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(map(_text, value)) + "]"
    return str(value)


def _key(word: str) -> str:
    return str(OverridesParser.create().parse_override(word).key_or_group)


def _shared(continual: Continual) -> list[str]:
    """Return the overrides that all stages share.

    Raises:
        UserError: The tuning rule that was asked for is none that the mechanism can work with.
    """
    words = [word for word in HydraConfig.get().overrides.task if _key(word).split(".")[0] not in OWN]
    words = [word for word in words if _key(word) != "data.stages"]
    tuning = HydraConfig.get().runtime.choices["tuning"]
    if continual.tuning is None:
        return words
    if not any(_key(word) == "tuning" for word in words):
        return [*words, f"tuning={continual.tuning}"]
    if tuning == "full":
        raise UserError(
            f"tuning=full would train the whole body in every stage, and this continual= only adapters: leave tuning= "
            f"out for {continual.tuning}, or name another rule."
        )
    return words


def _without(shared: Sequence[str], own: Sequence[str]) -> list[str]:
    """Return the shared overrides that those of a stage do not replace; another source replaces all of the data."""
    keys = {_key(word) for word in own}
    is_other = "data" in keys and not any(word in shared for word in own if _key(word) == "data")
    return [word for word in shared if _key(word) not in keys and not (is_other and _key(word).split(".")[0] == "data")]


def _stage(parts: Parts, number: int, words: Sequence[str], title: str) -> Stage:
    """Compose a stage; raises UserError if it does not compose."""
    run_dir = parts.origin.run_dir
    folder = run_dir / FOLDER / str(number + 1)
    before = parts.continual.begins_with(number)
    weights = parts.weights if before is None else Start(run_dir / FOLDER / str(before + 1), "best")
    if weights is not None:
        words = [*words, f"start={_text(str(weights.folder.absolute()))}", f"start_checkpoint={weights.checkpoint}"]
    try:
        config = hydra.compose(config_name="train", overrides=list(words), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise UserError(f"data.stages: stage {number + 1} cannot be composed ({reason}): correct it.") from error
    files = _hydra_files(config, words, folder)
    with open_dict(config):
        del config["hydra"]
    preflight.check(config)
    made = make_parts(config, folder)
    origin = Origin(
        stage=made.origin.stage,
        run_dir=folder,
        command=parts.origin.command,
        group=run_dir.name,
        config=made.origin.config,
    )
    return Stage(number, title, replace(made, origin=origin, weights=weights, continual=parts.continual), files)


def _hydra_files(config: Any, words: Sequence[str], folder: Path) -> dict[str, str]:
    """Return what Hydra itself would have written for the stage, without secrets."""
    outer = HydraConfig.get()
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    choices = dict(config.hydra.runtime.choices)
    del plain["hydra"]
    record = {
        "hydra": {
            "run": {"dir": str(folder)},
            "overrides": {"task": list(words)},
            "job": {"name": "train", "config_name": "train"},
            "runtime": {"cwd": str(outer.runtime.cwd), "output_dir": str(folder), "choices": choices},
        }
    }
    secrets = secrets_in(plain)
    texts = {
        "config.yaml": OmegaConf.to_yaml(plain),
        "hydra.yaml": OmegaConf.to_yaml(record),
        "overrides.yaml": OmegaConf.to_yaml(list(words)),
    }
    return {name: redact_yaml(text, secrets) for name, text in texts.items()}
