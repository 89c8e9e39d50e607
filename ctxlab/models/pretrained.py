"""Any model from the hub or a local folder."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ctxlab.core.architecture import NOTE, installed
from ctxlab.core.errors import UserError
from ctxlab.core.model import UNMERGED, ModelSource
from ctxlab.core.numbers import Numbers
from ctxlab.models.loading.dropout import check_dropout, set_attention_dropout, set_dropout
from ctxlab.models.loading.growing.growth import Growth, grow
from ctxlab.models.loading.named_rows import add_note
from ctxlab.models.loading.published_adapter import merge_adapter
from ctxlab.models.loading.vocabulary import fit_vocabulary
from ctxlab.models.loading.weights import Configure, folder, load_model, load_tokenizer, read_kind, read_labels


class Pretrained(ModelSource):
    """A model given by hub id or folder, with safetensors weights and a fast tokenizer."""

    def __init__(
        self,
        path: str,
        dropout: float | None = None,
        attention_dropout: float = 0.0,
        adapter: str | None = None,
        name: str | None = None,
        growth: Mapping[str, Any] | None = None,
        numbers: Mapping[str, Any] | None = None,
    ) -> None:
        """Store the options.

        Args:
            path: Hub id or folder.
            dropout: Rate on hidden states, 0 to 1; None keeps the model's own.
            attention_dropout: Rate on attention probabilities, 0 to 1; above 0 long windows are over 20 times
                slower on a CPU.
            adapter: Folder of an adapter that peft saved, which is merged into the weights; None for none.
            name: Name in results; None for the last part of ``path``.
            growth: Layers and hidden units that are added, see ``growing.growth.Growth``; None for none.
            numbers: Numbers of tokens that it takes, see ``core.numbers.Numbers``; None for none.
        """
        self.path, self.name = str(path), name or _name(str(path))
        self.dropout, self.attention_dropout, self.adapter = dropout, attention_dropout, adapter
        self.growth, self._growth = growth, Growth.of(growth)
        self.numbers = numbers
        Numbers.of(numbers)

    def kind(self) -> str:
        """Return the kind named in its config."""
        return read_kind(folder(self.path), self.path)

    def tokenizer(self) -> Any:
        """Return a fast tokenizer that neither truncates nor pads; raises UserError if there is none."""
        return load_tokenizer(folder(self.path), self.path)

    def head_labels(self, head: str) -> list[str]:
        """Return the label names in the config of a fine-tuned model."""
        return read_labels(folder(self.path), self.path, head)

    def build(self, head: str, labels: Sequence[str], configure: Configure | None = None) -> Any:
        """Build the model with a head for ``labels``, in fp32 and evaluation mode.

        Args:
            head: Kind of head, see ``heads``; a new one is initialised with torch's global seed.
            labels: Names of the outputs.
            configure: Changes the config before the model is built, for settings that only then take effect.
        """

        def change(config: Any) -> None:
            set_dropout(config, self.dropout, self.attention_dropout)
            if configure is not None:
                configure(config)

        model = load_model(folder(self.path), self.path, head=head, labels=labels, configure=change)
        with suppress(UserError):  # weights without a tokenizer load too; ``tokenizer`` raises the error
            fit_vocabulary(model, self.tokenizer(), self.path)
        set_attention_dropout(model, self.attention_dropout)
        check_dropout(model, self.dropout)
        self._note_unmerged(model)
        if self.adapter is not None:
            merge_adapter(model, Path(self.adapter).expanduser())
        return grow(model, self._growth)

    def _note_unmerged(self, model: Any) -> None:
        """Note that the weights are those of a run whose adapters cannot be merged; they are not this model's."""
        rule = installed(model.config, UNMERGED).get("name")
        if rule is not None:
            getattr(model.config, NOTE).pop(UNMERGED)
            add_note(
                model,
                f"Model `{self.path}` was trained with tuning={rule}, which cannot be merged: it starts without its "
                "adapters (`ctxlab eval run=<its run>` uses them).",
            )


def _name(path: str) -> str:
    """Return the name of the model in reports: the last part of a hub id or folder, for a checkpoint with its run."""
    local = Path(path).expanduser()
    if not local.is_dir():
        return path.rstrip("/").rsplit("/", 1)[-1]
    local = local.resolve()
    return f"{local.parents[1].name}/{local.name}" if local.parent.name == "checkpoints" else local.name
