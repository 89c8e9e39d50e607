"""A model loaded from a checkpoint of a training run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from safetensors.torch import load_model as load_safetensors

from ctxlab.core.architecture import installed
from ctxlab.core.errors import UserError
from ctxlab.core.model import ADDED_MODULES, TUNING, TUNING_MODULE, ModelSource
from ctxlab.core.numbers import NUMBERS, Numbers
from ctxlab.core.optim import Tuning
from ctxlab.models.loading.dropout import check_dropout, set_attention_dropout, set_dropout
from ctxlab.models.loading.heads import UNNAMED
from ctxlab.models.loading.reduced.rebuild import names_left_out
from ctxlab.models.loading.weights import Configure, load_config, load_model, load_tokenizer, read_kind

WEIGHTS = "model.safetensors"


def save_weights(
    model: Any, tuning: Tuning, folder: Path, *, weights: Mapping[str, torch.Tensor] | None = None
) -> None:
    """Write config and weights of ``model`` to ``folder``, and what ``tuning`` needs besides to a separate file.

    Args:
        model: The model.
        tuning: Its rule, which exports the weights.
        folder: Where they are written.
        weights: The exported weights, where they are not those of ``model``; None for those.
    """
    exported = tuning.export(model) if weights is None else dict(weights)
    absent = names_left_out(model)
    exported = {name: tensor for name, tensor in exported.items() if name not in absent}
    model.save_pretrained(folder, state_dict=exported, max_shard_size="100GB")
    if own := tuning.save(model):
        save_file({name: tensor.contiguous() for name, tensor in own.items()}, folder / TUNING)


def save_tokenizer(tokenizer: Any, longest: int, folder: Path) -> None:
    """Write ``tokenizer`` into ``folder``; its ``model_max_length`` there is ``longest``, the tokens of a window.

    In memory it has no limit, because the strategy truncates documents, not the tokenizer.
    """
    limit = tokenizer.model_max_length
    tokenizer.model_max_length = longest
    try:
        tokenizer.save_pretrained(folder)
    finally:
        tokenizer.model_max_length = limit


class Checkpointed(ModelSource):
    """Weights, config and tokenizer from a checkpoint folder; everything must be there, including the head.

    Extended positions are in the saved config. The attention pattern is code, which the caller installs again.
    """

    def __init__(
        self, path: str, dropout: float | None = None, attention_dropout: float = 0.0, name: str = "checkpoint"
    ) -> None:
        """Store the options.

        Args:
            path: Folder of the checkpoint.
            dropout: Rate on hidden states, 0 to 1; None keeps the model's own.
            attention_dropout: Rate on attention probabilities, 0 to 1; above 0 long windows are over 20 times
                slower on a CPU.
            name: Name in results.
        """
        self.path, self.name = Path(path), name
        self.dropout, self.attention_dropout = dropout, attention_dropout

    def labels(self) -> list[str]:
        """Return the label names of the outputs, in order; empty for a vocabulary or for starts and ends of spans."""
        try:
            config = json.loads((self.path / "config.json").read_text(encoding="utf-8"))
            names = config.get("id2label", {})
            named = [names[index] for index in sorted(names, key=int)]
        except (OSError, ValueError, AttributeError) as error:
            raise UserError(f"checkpoint {self.path} has no readable config.json; give another checkpoint.") from error
        return [] if tuple(named) == UNNAMED else named

    def config(self) -> Any:
        """Return its config."""
        return load_config(self.path, str(self.path))

    def kind(self) -> str:
        """Return the kind named in its config."""
        return read_kind(self.path, str(self.path))

    def tokenizer(self) -> Any:
        """Return the tokenizer that was saved with the model."""
        return load_tokenizer(self.path, str(self.path))

    def taken_numbers(self, config: Any) -> Numbers:
        """Return the numbers that the saved model was trained with."""
        return Numbers.of(installed(config, NUMBERS))

    def build(self, head: str, labels: Sequence[str], configure: Configure | None = None) -> Any:
        """Return the saved model; raises UserError if its labels differ from ``labels`` or their order."""
        saved = self.labels()
        if saved != ([] if tuple(labels) == UNNAMED else list(labels)):
            raise UserError(
                f"checkpoint {self.path} was trained for the labels {', '.join(saved) or '(none)'}, "
                f"not for {', '.join(labels) or '(none)'}; give a checkpoint of this task and data."
            )

        def change(config: Any) -> None:
            set_dropout(config, self.dropout, self.attention_dropout)
            if configure is not None:
                configure(config)

        model = load_model(self.path, str(self.path), head=head, labels=labels, configure=change, new_head=False)
        set_attention_dropout(model, self.attention_dropout)
        check_dropout(model, self.dropout)
        return model

    def load_added_modules(self, model: Any) -> None:
        """Load the saved weights of the strategy's and task's modules into ``model``.

        Raises:
            UserError: The checkpoint was trained without them.
        """
        wanted = {name: tensor for name, tensor in model.state_dict().items() if _in_part(name)}
        if not wanted:
            return
        with safe_open(self.path / WEIGHTS, framework="pt") as file:
            for name, tensor in wanted.items():
                if name not in file.keys() or file.get_slice(name).get_shape() != list(tensor.shape):  # noqa: SIM118
                    raise UserError(
                        f"checkpoint {self.path} was trained without this {name.split('.')[1]} part of the strategy, "
                        f"or with another size of it ({name} does not fit): train with it first, or use the run's own."
                    )
                tensor.copy_(file.get_tensor(name))

    def load_tuning(self, model: Any, tuning: Tuning) -> None:
        """Load the weights that ``tuning`` added to ``model``; raises UserError if another rule was used."""
        path = self.path / TUNING
        tuning.load(model, load_file(path) if path.is_file() else {})

    def load_weights(self, model: Any, tuning: Tuning) -> None:
        """Load all saved weights into ``model``, which was assembled like the saved one."""
        missing, unexpected = load_safetensors(model, self.path / WEIGHTS, strict=False)
        wrong = [*unexpected, *(name for name in missing if not name.startswith(f"{ADDED_MODULES}.{TUNING_MODULE}."))]
        assert not wrong, f"{self.path} is of another model: {wrong[0]}"
        self.load_tuning(model, tuning)


def _in_part(name: str) -> bool:
    """Return whether a weight belongs to a strategy's or task's module; tuning rules have a file of their own."""
    return name.startswith(f"{ADDED_MODULES}.") and not name.startswith(f"{ADDED_MODULES}.{TUNING_MODULE}.")
