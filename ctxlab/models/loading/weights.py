"""Loading model and tokenizer from a folder; no code in it is run, and missing weights are reported."""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoTokenizer
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from ctxlab.core.errors import UserError
from ctxlab.core.model import DRAWN, NEW_HEAD
from ctxlab.core.quiet import quiet
from ctxlab.models.loading.heads import BARE, NEW, NOTED, POOLED, auto_class, bare, check_head, kind_of, label_fields
from ctxlab.models.loading.named_rows import (
    BY_NAME,
    add_note,
    is_made_for,
    labels_of,
    names_of,
    reinitialise_output,
    take_rows,
)
from ctxlab.models.loading.published_adapter import refuse_beside
from ctxlab.models.loading.reduced.rebuild import is_rebuilt, load_reduced
from ctxlab.models.loading.spaces import begin_words_with_a_space

logger = logging.getLogger(__name__)

NO_LIMIT = 10**15
"""Length limit of tokenizers in tokens, so that only the strategy truncates documents."""

FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]
"""Files that are fetched from the hub: none that contain code or pickles."""

Configure = Callable[[Any], None]
"""Changes a config before the model is built from it (dropout, rotary positions)."""


def folder(path: str) -> Path:
    """Return the local folder of ``path``, a folder or a hub id; the latter is downloaded if needed.

    Raises:
        UserError: It is neither a folder nor a hub id that can be reached.
    """
    local = Path(path).expanduser()
    if local.is_dir():
        return local
    if local.is_absolute() or path.startswith((".", "~")) or path.count("/") > 1:
        raise UserError(f"model.path={path} is not a folder; give the folder of a saved model or a hub id.")
    try:
        # Subfolders hold exports for other runtimes and second copies of the weights.
        return Path(huggingface_hub.snapshot_download(path, allow_patterns=FILES, ignore_patterns=["*/*"]))
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise UserError(
            f"model.path={path} is neither a local folder nor a hub id that can be reached from here; "
            "run `make setup` where there is a network, or give model.path=<folder>."
        ) from error


def read_kind(path: Path, called: str) -> str:
    """Return the kind of the model in ``path``, from its config alone; see ``heads.kind_of``."""
    _refuse_code(path, called)
    with quiet():
        return kind_of(AutoConfig.from_pretrained(path))


def load_config(path: Path, called: str) -> Any:
    """Return the config of the model in ``path``, whose user's name is ``called``."""
    _refuse_code(path, called)
    with quiet():
        return AutoConfig.from_pretrained(path)


def read_labels(path: Path, called: str, head: str) -> list[str]:
    """Return the label names of the ``head`` in the weights in ``path``; empty if there are none."""
    _refuse_code(path, called)
    with quiet():
        return names_of(AutoConfig.from_pretrained(path), head)


def load_tokenizer(path: Path, called: str) -> Any:
    """Load the fast tokenizer in ``path``, without truncation, padding or length limit.

    Args:
        path: Folder of a saved model.
        called: The user's name for the model, for messages.

    Raises:
        UserError: It has none, or only a slow one.
    """
    _refuse_code(path, called)
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise UserError(
            f"model `{called}` has no tokenizer that loads ({_line(error)}); give another model."
        ) from error
    if not tokenizer.is_fast:
        raise UserError(
            f"model `{called}` has no fast tokenizer, which is needed to map tokens to words; "
            "give a model with a tokenizer.json."
        )
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
        # If files are missing the library builds an empty tokenizer: every token would be unknown.
        raise UserError(f"model `{called}` has no tokenizer files; save its tokenizer into the same folder.")
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    tokenizer.model_max_length = NO_LIMIT
    begin_words_with_a_space(tokenizer)
    if tokenizer.pad_token_id is None:
        # Padding is masked everywhere, so that any token works; a new one would have no row in the embeddings.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or next(iter(tokenizer.get_vocab()))
    return tokenizer


def load_model(
    path: Path, called: str, head: str, labels: Sequence[str], configure: Configure, *, new_head: bool = True
) -> Any:
    """Load the model in ``path`` with a head for ``labels``, in fp32 and evaluation mode.

    Args:
        path: Folder of a saved model with safetensors weights.
        called: The user's name for the model, for messages.
        head: Kind of head, see ``heads``.
        labels: Names of the outputs; empty for a language model.
        configure: Called on the config before the model is built.
        new_head: Whether weights of a task's own head may be missing; they are then initialised with torch's global
            seed.

    Raises:
        UserError: No safetensors weights, weights that do not fit, or an architecture without such a head.
    """
    _refuse_code(path, called)
    if not any(path.glob("*.safetensors")):
        raise UserError(f"model `{called}` has no safetensors weights, the only supported format; convert them first.")
    try:
        with quiet():
            saved = AutoConfig.from_pretrained(path)
            own = names_of(saved, head) if new_head and labels else []
            config = AutoConfig.from_pretrained(path, **label_fields(own or labels))
            if head == "sequence_classification" and getattr(config, "pad_token_id", None) is None:
                config.pad_token_id = getattr(config, "eos_token_id", None)  # decoders locate the last token by it
            check_head(config, head)
            configure(config)
            model, report = _load(path, config, auto_class(head))
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise UserError(f"model `{called}` does not load with a {head} head ({_line(error)}).") from error
    _check_weights(bare(model, head), report, called=called, head=head, new_head=new_head)
    absent = {*report["missing_keys"], *(key[0] for key in report["mismatched_keys"])}
    setattr(model, DRAWN, frozenset(absent & set(model.state_dict())))
    if new_head and head in BY_NAME:
        _match_head(model, saved, report=report, called=called, head=head, own=own, labels=labels)
    return model.eval()


def _load(path: Path, config: Any, build: Any) -> tuple[Any, dict[str, Any]]:
    """Return the model of ``config`` with the weights in ``path``, and the report of what is missing."""
    if is_rebuilt(config):
        return load_reduced(path, config, build)
    model, report = build.from_pretrained(
        path,
        config=config,
        dtype="float32",
        use_safetensors=True,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    return model, report


def _match_head(
    model: Any, saved: Any, report: dict[str, Any], called: str, head: str, own: Sequence[str], labels: Sequence[str]
) -> None:
    """Match a trained head to the labels by name; note a head of another kind or without names.

    Args:
        model: As loaded by the library, with an output for each of ``own``, or of ``labels`` if ``own`` is empty.
        saved: Config of the weights.
        report: The library's loading report.
        called: The user's name for the model.
        head: Kind of head.
        own: Label names of the saved head, if it has names.
        labels: Names of the outputs that the model must have.
    """
    absent = set(report["missing_keys"]) | {key[0] for key in report["mismatched_keys"]}
    outside = {name for name, _ in model.named_parameters() if not _in_body(model, name)}
    if own:
        take_rows(model, own, labels, called)
        if outside <= absent:
            setattr(model, NEW_HEAD, True)
    elif outside & absent:
        setattr(model, NEW_HEAD, True)
    elif not is_made_for(saved, head):  # for example a tagger's projection with the same name and size
        reinitialise_output(model)
        setattr(model, NEW_HEAD, True)
    elif labels_of(saved) != list(labels):
        add_note(
            model,
            f"The head of model `{called}` has no label names, so its outputs were taken in the order "
            f"{', '.join(labels)}.",
        )


def _check_weights(model: Any, report: dict[str, Any], called: str, head: str, new_head: bool) -> None:
    """Refuse missing weights, which the library would only warn about and initialise at random."""
    missing, resized = set(report["missing_keys"]), {key[0] for key in report["mismatched_keys"]}
    if head in BARE:  # weights of removed modules may be missing
        missing, resized = (names & set(model.state_dict()) for names in (missing, resized))
    pooler = {name for name in missing if ".pooler." in f".{name}"}
    if head == "body" or (new_head and head in NEW):  # the pooler is part of the head, or not used
        missing -= pooler
        if pooler and head in POOLED:
            add_note(model, f"Model `{called}` came without its pooler, which started at random.", beginning=True)
    wrong = missing | resized
    if new_head and head in NEW:
        wrong = {name for name in wrong if _in_body(model, name)}
    elif new_head and head in NOTED:
        wrong = resized | {name for name in missing if _in_body(model, name)}
        _note_new_head(model, called, head, missing - wrong)
    if wrong:
        raise UserError(
            f"model `{called}` lacks {len(wrong)} weights of {type(model).__name__} or has them in another size, "
            f"{min(wrong)} first; give a complete model of this architecture."
        )


def _in_body(model: Any, name: str) -> bool:
    return name.startswith(model.base_model_prefix + ".")


def _note_new_head(model: Any, called: str, head: str, drawn: set[str]) -> None:
    if not drawn:
        return
    note = f"Model `{called}` came without its {head} head, which started at random ({', '.join(sorted(drawn))})."
    logger.warning("%s", note)
    setattr(model, NEW_HEAD, True)
    add_note(model, note, beginning=True)


def _refuse_code(path: Path, called: str) -> None:
    """Refuse models that need code from their folder, before the library would ask whether to run it."""
    refuse_beside(path, called)
    file = path / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"model `{called}` has no readable {file.name} in {path}; give the folder of a model."
        ) from error
    if config.get("model_type") not in CONFIG_MAPPING:
        raise UserError(
            f"model `{called}` is of type `{config.get('model_type')}`, which Transformers does not know without "
            "running code from the model's folder; give a model of a known type."
        )


def _line(error: BaseException) -> str:
    """Return the first line of the library's message."""
    return (str(error).strip() or type(error).__name__).split("\n")[0].rstrip(".")
