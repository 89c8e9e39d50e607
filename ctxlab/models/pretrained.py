"""Any model of the hub or of a local folder."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.model import ModelSource
from ctxlab.models.loading.dropout import set_attention_dropout, set_dropout
from ctxlab.models.loading.vocabulary import fit_vocabulary
from ctxlab.models.loading.weights import Configure, folder, load_model, load_tokenizer, read_kind, read_labels


class Pretrained(ModelSource):
    """A hub id or a folder that loads with the head of the task, safetensors weights and a fast tokenizer."""

    def __init__(
        self, path: str, dropout: float | None = None, attention_dropout: float = 0.0, name: str | None = None
    ) -> None:
        """Take where the model is; None for ``dropout`` keeps the model's own."""
        self.path, self.name = str(path), name or _name(str(path))
        self.dropout, self.attention_dropout = dropout, attention_dropout

    def kind(self) -> str:
        """As its config says."""
        return read_kind(folder(self.path), self.path)

    def tokenizer(self) -> Any:
        """A fast tokenizer that neither cuts nor pads; raises UserError where there is none."""
        return load_tokenizer(folder(self.path), self.path)

    def head_labels(self, head: str) -> list[str]:
        """As the config of a fine-tuned model says."""
        return read_labels(folder(self.path), self.path, head)

    def build(self, head: str, labels: Sequence[str], configure: Configure | None = None) -> Any:
        """The model with a head for ``labels``, in fp32 and evaluation mode.

        Args:
            head: Kind of head, see ``heads``; a new one is drawn with torch's global seed.
            labels: Names behind the outputs.
            configure: Changes the config before the model is built, for what takes effect only there.
        """

        def change(config: Any) -> None:
            set_dropout(config, self.dropout, self.attention_dropout)
            if configure is not None:
                configure(config)

        model = load_model(folder(self.path), self.path, head, labels, change)
        with suppress(UserError):  # weights without a tokenizer load too; whoever asks for it is told
            fit_vocabulary(model, self.tokenizer(), self.path)
        set_attention_dropout(model, self.attention_dropout)
        return model


def _name(path: str) -> str:
    """What reports call the model in ``path``: the last part of a hub id or folder, a checkpoint's with its run."""
    local = Path(path).expanduser()
    if not local.is_dir():
        return path.rstrip("/").rsplit("/", 1)[-1]
    local = local.resolve()
    return f"{local.parents[1].name}/{local.name}" if local.parent.name == "checkpoints" else local.name
