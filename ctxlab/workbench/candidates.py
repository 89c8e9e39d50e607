"""The candidates of a comparison, composed from several values on the command line as ``ctxlab train`` would."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import hydra
import regex
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ctxlab.config import own_options, preflight
from ctxlab.config.keys.comparing import CompareOptions, PlanOptions
from ctxlab.core.errors import UserError
from ctxlab.workbench.parts import Parts, make_parts

TRAIN = "train"
"""Stage that the cells run."""

OWN = ("device", "candidates", "seeds", "baseline", "budget", "limit", "trials", "margin", "resume", "folds", "fold")
"""Keys of the comparison itself, which are not passed to its cells."""

BUDGETS = ("max_seconds", "max_tokens", "max_flops", "max_steps", "max_epochs")
"""Keys of ``trainer`` that a comparison sets."""

PLAIN = ("strategy", "context", "context.length")
"""Axes whose values appear in a candidate's name without their key."""

NAMED = "experiment="
"""Axis whose values are names that their user has chosen, which titles show alone."""

READING = ("strategy", "context")
"""Groups that say how documents are read, which a forward pass shows."""

SCORED = ("data", "data_seed", "folds")
"""Keys that say which documents are scored; an experiment may set them, and then its scores mean something else."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One combination of values that is compared with the others."""

    key: str
    """Short name for folders: ``chunk-512``."""
    title: str
    """Name for display: ``chunk at 512``."""
    words: Sequence[str]
    """Overrides of this candidate, in addition to the shared ones."""
    parts: Parts | None
    """Its composed parts; None if it does not compose."""
    refused: str = ""
    """Sentence that says why it does not compose."""
    scored: Mapping[str, Any] = field(default_factory=dict)
    """Task and documents that are scored."""

    @property
    def beside(self) -> list[str]:
        """Return its overrides beside strategy and context: two that differ in them are never one computation."""
        return [word for word in self.words if not _is_reading(word)]


@dataclass(frozen=True, slots=True)
class CandidatesCommand:
    """The command that started a comparison."""

    flags: Sequence[str]
    """Flags of Hydra for the cells."""
    shared: Sequence[str]
    """Overrides that all cells share."""
    axes: Mapping[str, Sequence[str]]
    """Key → its values, each as it would be written for a single run."""
    searched: Sequence[str] = ()
    """Override that names the folders of the user's own options: a composition here knows only those of a flag."""

    @classmethod
    def of(cls, options: CompareOptions | PlanOptions, *, budgets: bool = False) -> "CandidatesCommand":
        """Read the command from the running Hydra job; ``budgets`` allows the limits of ``trainer``.

        Raises:
            UserError: An override would limit the cells in addition to the budget.
        """
        found = HydraConfig.get()
        overrides = [_parsed(word) for word in found.overrides.task]
        for override in overrides:
            if override.key_or_group == "continual":
                raise UserError(
                    f"{override.input_line} trains several runs in sequence, which a comparison cannot: use ctxlab "
                    "train -m with several values of continual=."
                )
            if not budgets and override.key_or_group in {f"trainer.{name}" for name in BUDGETS}:
                raise UserError(
                    f"{override.input_line} would limit the cells in addition to their budget: give budget.seconds, "
                    "budget.tokens, budget.flops or budget.steps instead."
                )
        shared = [str(one.input_line) for one in overrides if one.key_or_group.split(".")[0] not in OWN]
        choices = {key: found.runtime.choices[key] for key in ("tracking",)}
        given = {override.key_or_group for override in overrides}
        shared += [f"{key}={choice}" for key, choice in choices.items() if key not in given]
        folders = own_options.folders(found.runtime.config_sources)
        axes = {str(key): list(values) for key, values in options.candidates.items()}
        searched = [own_options.search_path(folders)] if folders else []
        return cls(own_options.words(folders), shared, axes, searched)


def _parsed(word: str) -> Override:
    return OverridesParser.create().parse_override(word)


def candidates(command: CandidatesCommand, run_dir: Path, least: int = 2) -> list[Candidate]:
    """Return every combination of the values, the first axis varying slowest; invalid ones say why.

    Args:
        command: The command of the comparison.
        run_dir: Run directory of the comparison.
        least: Fewest candidates.

    Raises:
        UserError: There is nothing to compare.
    """
    combinations = [
        [f"{key}={value}" for key, value in zip(command.axes, values, strict=True)]
        for values in product(*command.axes.values())
    ]
    if len(combinations) < least:
        raise UserError(
            "There is nothing to compare: give several values, as in context=512,4096 strategy=chunk,dense."
        )
    found = [_candidate(command, words, run_dir) for words in combinations]
    first = next((one for one in found if one.parts is not None), None)
    return [one if first is None else _comparable(one, first) for one in found]


def _comparable(candidate: Candidate, first: Candidate) -> Candidate:
    """Refuse a candidate whose scores are not comparable with those of the first one."""
    other = [name for name, value in candidate.scored.items() if value != first.scored[name]]
    if not other:
        return candidate
    reason = f"its {other[0]} is another than that of {first.title}: a comparison needs the same for all candidates."
    return replace(candidate, parts=None, refused=reason)


def _candidate(command: CandidatesCommand, words: Sequence[str], run_dir: Path) -> Candidate:
    try:
        given = [*command.searched, *command.shared, *words]
        config = hydra.compose(config_name=TRAIN, overrides=given, return_hydra_config=True)
        strategy, length = config.hydra.runtime.choices["strategy"], config.context.length
        scored = _scored(config)
        OmegaConf.set_struct(config, False)
        del config["hydra"]
    except (HydraException, OmegaConfBaseException) as error:
        name = " ".join(words)
        return Candidate(_folder(name), name, words=words, parts=None, refused=_first_line(error))
    more = [word.lstrip("+") for word in words if word.split("=")[0] not in PLAIN]
    key = _folder("-".join([strategy, str(length), *more]))
    reads = [f"{strategy} at {length:,}"] if any(map(_is_reading, words)) or not more else []
    title = ", ".join([*reads, *(word.removeprefix(NAMED) for word in more)])
    try:
        preflight.check(config)
        return Candidate(key, title, words, make_parts(config, run_dir), scored=scored)
    except UserError as error:
        return Candidate(key, title, words=words, parts=None, refused=str(error))


def _scored(config: DictConfig) -> dict[str, Any]:
    choices = config.hydra.runtime.choices
    keys = {name: OmegaConf.to_container(OmegaConf.create({name: config[name]}), resolve=False) for name in SCORED}
    return {"task": choices["task"], "probe": choices["probe"], **keys}


def _is_reading(word: str) -> bool:
    """Return whether an override is one of strategy or context."""
    return regex.split(r"[=./]", word, maxsplit=1)[0] in READING


def _folder(text: str) -> str:
    """Turn a text into the name of a folder."""
    return str(regex.sub(r"[^\p{L}\p{M}\p{N}_.=-]+", "-", text.replace("'", ""))).strip("-.")


def _first_line(error: Exception) -> str:
    lines: Iterator[str] = (line.strip() for line in str(error).splitlines() if line.strip())
    return next(lines, type(error).__name__)
