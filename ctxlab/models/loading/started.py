"""A model that begins with the weights of an earlier run, for another task, other labels or another strategy."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoConfig

from ctxlab.core.architecture import NOTE, installed
from ctxlab.core.errors import UserError
from ctxlab.core.model import ADDED_MODULES, DRAWN, GROWTH, TASK_MODULE, TUNING, TUNING_MODULE, UNMERGED, ModelSource
from ctxlab.core.optim import Tuning
from ctxlab.core.quiet import quiet
from ctxlab.models.loading.checkpointed import WEIGHTS
from ctxlab.models.loading.dropout import check_dropout, set_attention_dropout, set_dropout
from ctxlab.models.loading.growing.growth import Growth, grow
from ctxlab.models.loading.heads import NEW
from ctxlab.models.loading.named_rows import add_note, drop_beginning, labels_of, listed
from ctxlab.models.loading.reduced.rebuild import FAMILY, INT8
from ctxlab.models.loading.weights import Configure, load_model, load_tokenizer, read_kind, read_labels

POOLER = "pooler"
"""Name of the module whose loader says itself that it is new."""


KEPT = ("positions", FAMILY, GROWTH)
"""Families of parts whose changes are in the weights; what others noted in the config is not so in the new run."""


class Started(ModelSource):
    """Body, and of head, strategy, task and tuning whatever the new run has too; all else starts at random, as noted.

    Outputs for labels are taken by the names of these, modules only whole. Learned positions that the earlier run
    has lengthened stay so.
    """

    def __init__(
        self,
        checkpoint: Path,
        run: Path,
        name: str,
        dropout: float | None,
        attention_dropout: float,
        growth: Mapping[str, Any] | None = None,
        numbers: Mapping[str, Any] | None = None,
    ) -> None:
        """Store the options.

        Args:
            checkpoint: Folder of the checkpoint.
            run: Run directory, for messages.
            name: Name in results.
            dropout: Rate on hidden states, 0 to 1; None keeps the one that the run was trained with.
            attention_dropout: Rate on attention probabilities, 0 to 1.
            growth: Layers and hidden units that are added, see ``growing.growth.Growth``; None for none.
            numbers: Numbers of tokens that it takes, see ``core.numbers.Numbers``; None for none.
        """
        self.growth, self.numbers = growth, numbers
        self.path, self.called, self.name = checkpoint, str(run), name
        self.dropout, self.attention_dropout = dropout, attention_dropout

    def kind(self) -> str:
        """Return the kind named in the checkpoint's config."""
        return read_kind(self.path, self.called)

    def tokenizer(self) -> Any:
        """Return the tokenizer that was saved with the model."""
        return load_tokenizer(self.path, self.called)

    def head_labels(self, head: str) -> list[str]:
        """Return the label names of the ``head`` in the checkpoint; empty if it has another head."""
        return read_labels(self.path, self.called, head)

    def build(self, head: str, labels: Sequence[str], configure: Configure | None = None) -> Any:
        """Build the model with a head for ``labels``, in fp32 and evaluation mode.

        Args:
            head: Kind of head; what the checkpoint has none of is initialised with torch's global seed.
            labels: Names of the outputs.
            configure: Changes the config before the model is built.

        Raises:
            UserError: The architecture has no such head, or weights of it are missing that training cannot begin
                without; or they have 8 bits, which cannot be trained.
        """
        if installed(self._saved, FAMILY).get(INT8):
            raise UserError(
                f"The weights of the run in `{self.called}` have 8 bits and cannot be trained: begin with the run that "
                f"it was made from, {installed(self._saved, FAMILY)['made_from']}."
            )

        def change(config: Any) -> None:
            drop_beginning(config)
            setattr(config, NOTE, {family: note for family in KEPT if (note := installed(config, family))})
            set_dropout(config, self.dropout, self.attention_dropout)
            if configure is not None:
                configure(config)

        model = load_model(self.path, self.called, head=head, labels=labels, configure=change)
        set_attention_dropout(model, self.attention_dropout)
        check_dropout(model, self.dropout)
        drawn = sorted({_module(name) for name in getattr(model, DRAWN) if POOLER not in name.split(".")})
        if drawn and head in NEW:
            add_note(
                model,
                f"The run in `{self.called}` has no head for this task: {listed(drawn)} started at random.",
                beginning=True,
            )
        return grow(model, Growth.of(self.growth))

    def load_added_modules(self, model: Any, task: str) -> list[str]:
        """Load the modules of strategy and task that both runs have into ``model``, on which all parts are installed.

        A family of modules is loaded as a whole, where all of its weights have the same names and sizes; the task's
        only where what its rows stand for is the same, too.

        Args:
            model: The new model.
            task: Name of the run's task if the new one has it, too; empty for another task.

        Returns:
            Notes on modules that start at random and on those that are left behind.
        """
        notes = []
        with safe_open(self.path / WEIGHTS, framework="pt") as file:
            saved = _families({name: file.get_slice(name).get_shape() for name in file.keys()})  # noqa: SIM118
            for family, own in _families(dict(model.named_parameters())).items():
                if reason := self._why_new(model, task, own, saved.get(family)):
                    notes.append(self._note(family, f"started at random: the run in `{self.called}` has {reason}"))
                    continue
                for name, tensor in own.items():
                    tensor.data.copy_(file.get_tensor(name))
            there = _families(model.state_dict())  # some have nothing but counts, which each run takes anew
            notes += [
                self._note(family, f"is left behind: this run has no such part, the one in `{self.called}` has")
                for family in saved
                if family not in there
            ]
        return notes

    def load_tuning(self, model: Any, tuning: Tuning) -> list[str]:
        """Load what ``tuning`` trained in the run into ``model`` if both have the same rule, else take merged weights.

        Returns:
            A note on adapters that begin anew; none where all go on.
        """
        path = self.path / TUNING
        state = load_file(path) if path.is_file() else {}
        try:
            tuning.load(model, state)
        except UserError:  # another rule, or other options of it
            return [f"{self._whose_adapters(state)}; those of this run's tuning= start anew."]
        return []

    def _whose_adapters(self, state: Mapping[str, Any]) -> str:
        """Return what becomes of the run's adapters, ``state``, which the new run cannot go on with."""
        rule = installed(self._saved, UNMERGED).get("name")
        if rule is not None:
            return (
                f"The run in `{self.called}` was trained with tuning={rule}, which cannot be merged, so that this one "
                "begins without its adapters"
            )
        if state:
            return f"The adapters of the run in `{self.called}` are merged into the weights"
        return f"The run in `{self.called}` has no adapters"

    def _why_new(self, model: Any, task: str, own: Mapping[str, Any], saved: Mapping[str, list[int]] | None) -> str:
        """Return what keeps a family of modules from being taken from the checkpoint; empty for nothing.

        Args:
            model: The new model.
            task: See ``load_added_modules``.
            own: Its weights of the family by name.
            saved: Shapes of the checkpoint's; None if it has none.
        """
        if saved is None:
            return "none"
        if any(saved.get(name) != list(tensor.shape) for name, tensor in own.items()):
            return "another size of it"
        is_task = f"{ADDED_MODULES}.{TASK_MODULE}." in next(iter(own))
        return "one for other labels" if is_task and not self._is_same_task(model, task) else ""

    def _is_same_task(self, model: Any, task: str) -> bool:
        """Return whether rows of the task's module stand for the same: labels, and names that it has noted."""
        saved = self._saved
        return (
            bool(task)
            and labels_of(saved) == labels_of(model.config)
            and _names(installed(saved, "task")) == _names(installed(model.config, "task"))
        )

    @cached_property
    def _saved(self) -> Any:
        """The config of the checkpoint."""
        with quiet():
            return AutoConfig.from_pretrained(self.path)

    def _note(self, family: str, what: str) -> str:
        whose = "task" if family == TASK_MODULE else "strategy"
        return f"The {whose}'s own module ({family}) {what}."


def _families(weights: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the weights of each family of added modules but the tuning rule's, which has a file of its own."""
    found: dict[str, dict[str, Any]] = {}
    for name, tensor in weights.items():
        if name.startswith(f"{ADDED_MODULES}.") and not name.startswith(f"{ADDED_MODULES}.{TUNING_MODULE}."):
            found.setdefault(name.split(".")[1], {})[name] = tensor
    return found


def _module(weight: str) -> str:
    return weight.rpartition(".")[0]


def _names(note: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in note.items() if isinstance(value, list)}
