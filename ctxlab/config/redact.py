"""Masking of secrets in everything that is written and shown."""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ctxlab.core.files import write_text

MASK = "***"

SECRET = re.compile(r"(?:^|[_.\-/@+])(?:api_?)?(key|token|secret|password|passwd|credentials?)$", re.IGNORECASE)
"""Names that end in such a word: ``api_key``, ``HF_TOKEN``; not ``tokens_per_step``, ``tokens_field``."""

IN_ENVIRONMENT = re.compile(r"(?:^|_)(API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(?:_|$)", re.IGNORECASE)
"""Names of environment variables may have the word anywhere: ``AWS_SECRET_ACCESS_KEY``."""

VOCABULARY = re.compile(r"(?:pad|bos|eos|cls|sep|mask|unk|special|global|max|per)_token$", re.IGNORECASE)
"""Names of tokens that are not secrets."""

MIN_SECRET_CHARS = 6
"""Shorter values of environment variables are switches, and masking them would hide ordinary words."""

OVERRIDE = re.compile(r"^([~+]{0,2}[\w./@\-]+)=(.+)$", re.DOTALL)

ASSIGNMENT = re.compile(r"([\w./@+~\-]+)=([^,\s]+)")
"""An override inside a longer text, such as all overrides joined in one string."""

IN_URL = re.compile(r"(\w://[^\s:/@]+):[^\s@/]+@")
"""The password in a URL, such as that of a database."""

NAME = re.compile(r"([\w.@/\-]+)(?=['\"]?[:=])")
"""A possible name of a key in a text."""

LINE = re.compile(r"^(.*?)([\w.\-]+): (.*\S)\s*$")
"""One key in a line of YAML inside other text."""

REFERENCE = re.compile(r"^\$\{[^,{}]+\}$")
"""An interpolation without a default: it refers to a secret without containing it."""


def is_secret(name: str) -> bool:
    """Return whether the value of a key of this name is masked."""
    return bool(SECRET.search(name)) and not VOCABULARY.search(name)


def environment_secrets() -> set[str]:
    """Return the values of environment variables with the name of a secret."""
    return {
        value for name, value in os.environ.items() if IN_ENVIRONMENT.search(name) and len(value) >= MIN_SECRET_CHARS
    }


def redact(tree: Any, secrets: Collection[str] = ()) -> Any:
    """Return a copy of plain data with every secret masked, including those of the environment and in overrides.

    Args:
        tree: Dictionaries, lists and scalars.
        secrets: Further values to mask everywhere.
    """
    known = set(secrets) | environment_secrets() | _values(tree)
    return _masked(tree, sorted(known, key=len, reverse=True))


def masked(text: str) -> str:
    """Return a sentence without the secrets of the environment and the passwords of URLs."""
    for secret in sorted(environment_secrets(), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return IN_URL.sub(rf"\1:{MASK}@", text)


def _values(tree: Any) -> set[str]:
    """Return the values of keys with secret names, and of overrides of such keys."""
    if isinstance(tree, Mapping):
        own = {text for key, value in tree.items() if is_secret(str(key)) for text in _leaves(value)}
        return own.union(*(_values(value) for value in tree.values()))
    if isinstance(tree, list):
        return set().union(*(_values(value) for value in tree))
    found = OVERRIDE.match(tree) if isinstance(tree, str) else None
    return {found.group(2).strip("'\"")} if found and is_secret(found.group(1)) and found.group(2) != MASK else set()


def _leaves(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return set().union(*(_leaves(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(_leaves(inner) for inner in value))
    is_harmless = not isinstance(value, str) or len(value) < MIN_SECRET_CHARS or REFERENCE.match(value)
    return set() if is_harmless else {str(value)}


def _masked(tree: Any, secrets: list[str], hidden: bool = False) -> Any:
    if isinstance(tree, Mapping):
        return {key: _masked(value, secrets, hidden or is_secret(str(key))) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_masked(value, secrets, hidden) for value in tree]
    if hidden and tree not in (None, "", "???") and not isinstance(tree, bool):
        return tree if isinstance(tree, str) and REFERENCE.match(tree) else MASK
    return _masked_text(tree, secrets) if isinstance(tree, str) else tree


def _masked_text(text: str, secrets: list[str]) -> str:
    found = OVERRIDE.match(text)
    if found and is_secret(found.group(1)):
        return f"{found.group(1)}={MASK}"
    for secret in secrets:
        text = text.replace(secret, MASK)
    text = IN_URL.sub(rf"\1:{MASK}@", text)
    return ASSIGNMENT.sub(lambda part: f"{part[1]}={MASK}" if is_secret(part[1]) else part[0], text)


def redact_yaml(text: str, secrets: Collection[str] = ()) -> str:
    """Mask secrets in a configuration as Hydra prints it, with or without other text around it."""
    known = set(secrets) | environment_secrets()
    is_clean = not any(is_secret(name) for name in NAME.findall(text)) and not IN_URL.search(text)
    if is_clean and not any(secret in text for secret in known):
        return text  # parsing is slow
    tree = _parsed(text)
    if tree is None:
        return _masked_lines(text, known)
    from omegaconf import OmegaConf

    comments = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    return comments + OmegaConf.to_yaml(OmegaConf.create(redact(tree, secrets)))


def _parsed(text: str) -> Any:
    """Return plain data; None if the text is not YAML, or a single value."""
    import yaml
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        if isinstance(yaml.safe_load(text), (dict, list)):
            return OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    except (OmegaConfBaseException, yaml.YAMLError, ValueError):
        pass
    return None


def _masked_lines(text: str, secrets: Collection[str]) -> str:
    lines = text.splitlines(keepends=True)
    found = [LINE.match(line) for line in lines]
    own = {line[3].strip("'\"") for line in found if line and is_secret(line[2]) and not REFERENCE.match(line[3])}
    known = sorted({*secrets, *(value for value in own if len(value) >= MIN_SECRET_CHARS)}, key=len, reverse=True)
    masked = (
        f"{hit[1]}{hit[2]}: {MASK}\n" if hit and is_secret(hit[2]) else line
        for hit, line in zip(found, lines, strict=True)
    )
    return "".join(_masked_text(line, known) for line in masked)


def redact_file(path: Path, secrets: Collection[str] = ()) -> None:
    """Mask the secrets in a YAML file; a file without secrets is not rewritten."""
    text = path.read_text(encoding="utf-8")
    clean = redact_yaml(text, secrets)
    if clean != text:
        write_text(path, clean)


def secrets_in(config: Any) -> set[str]:
    """Return the values that ``redact`` would mask in plain data, to mask them elsewhere too."""
    return _values(config)
