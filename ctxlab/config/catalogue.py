"""The content of ``conf/``, read with directory listings and PyYAML so that help and completion are fast."""

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctxlab.core import plugins

IN_HELP = "in help: "
"""How the comment line of a stage begins that says under which heading help lists it."""

IMPLIED = "implied by "
"""Prefix of the comment with which an option names the keys that imply it."""

HIDDEN = {"defaults", "hydra", "_target_"}
"""Keys that users do not set."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a YAML file."""

    name: str
    """Dotted name from the root of the file."""
    value: str
    """Value as written."""
    comment: str
    line: int
    """Line number from 1."""


def conf_dir() -> Path:
    """Return the absolute folder of the configuration: the packaged one, else the repository's."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parent / "conf"


def stages() -> list[str]:
    """Return the names that have both a primary config and a module, without importing the modules."""
    folders = importlib.import_module("ctxlab.stages").__path__  # an empty package, above this one in the layers
    found = {path.stem for folder in folders for path in Path(folder).glob("[!_]*.py")}
    return sorted(path.stem for path in conf_dir().glob("*.yaml") if path.stem in found)


def roots() -> list[Path]:
    """Return the folders with options: ``conf_dir()``, then those of plug-ins; the first with an option is used."""
    return [conf_dir(), *plugins.conf_dirs()]


def groups() -> list[str]:
    """Return every group except Hydra's own, such as ``strategy`` and ``strategy/reading``."""
    names = {path.parent.relative_to(root).as_posix() for root in roots() for path in root.rglob("*.yaml")} - {"."}
    return sorted(name for name in names if name.split("/")[0] != "hydra")


def options(group: str) -> list[str]:
    """Return the options of a group, numbers in numeric order."""
    names = {path.stem for root in roots() for path in (root / group).glob("*.yaml")}
    return sorted(names, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))


def option_file(group: str, option: str) -> Path:
    """Return the path of an option's YAML file, or of a stage's if ``group`` is empty, whether or not it exists."""
    places = [root / group / f"{option}.yaml" for root in (roots() if group else [conf_dir()])]
    return next((path for path in places if path.is_file()), places[0])


def has_option(group: str, option: str) -> bool:
    """Return whether the option exists and, with ``..`` and symbolic links resolved, is inside its group."""
    path = option_file(group, option)
    return path.is_file() and any(path.resolve().is_relative_to((root / group).resolve()) for root in roots())


def header(path: Path) -> list[str]:
    """Return the comment lines at the top of a file, without the ``# @package`` directive."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("#").strip())
    return [line for line in lines if line and not line.startswith("@package")]


def summary(path: Path) -> str:
    """Return the first comment line of a file, which says what it is for."""
    lines = header(path)
    return lines[0] if lines else ""


def purpose(path: Path) -> str:
    """Return the heading under which help lists a stage, from the comment line ``# in help: …`` of its file."""
    return next((line.removeprefix(IN_HELP) for line in header(path) if line.startswith(IN_HELP)), "")


def examples(path: Path) -> list[str]:
    """Return the commands in the comment lines of a stage's file."""
    return [line for line in header(path)[1:] if not line.startswith(IN_HELP)]


def implied() -> dict[str, tuple[str, str]]:
    """Return the keys and groups that imply an option of a group when given on the command line.

    An option declares it in a comment line at the top of its file: ``# implied by data.path``.
    """
    return {
        name.strip(): (group, option)
        for group in groups()
        for option in options(group)
        for line in header(option_file(group, option))
        if line.startswith(IMPLIED)
        for name in line.removeprefix(IMPLIED).split(",")
    }


def read(path: Path) -> dict[str, Any]:
    """Return a file as plain data."""
    import yaml

    loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=_loader())  # noqa: S506, it is one of the safe ones
    return loaded if isinstance(loaded, dict) else {}


def _loader() -> Any:
    """Return the safe loader in C, which takes a sixth of the time, where PyYAML was built with it."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def keys(path: Path) -> list[Key]:
    """Return the keys of a file in order, nested ones dotted, each with the comment after or above it."""
    import yaml

    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=_loader())
    return list(_keys(root, text.splitlines(), "")) if isinstance(root, yaml.MappingNode) else []


def _keys(node: Any, lines: list[str], prefix: str) -> Iterator[Key]:
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        if name in HIDDEN:
            continue
        start = key.start_mark.line
        nested = value.id == "mapping" and value.start_mark.line > start
        text = "" if nested else _source(lines, value)
        yield Key(name, text, _comment(lines, start, start if nested else value.end_mark.line), start + 1)
        if nested:
            yield from _keys(value, lines, f"{name}.")


def _source(lines: list[str], node: Any) -> str:
    """Return the value as written, in one line."""
    begin, end = node.start_mark, node.end_mark
    if begin.line == end.line:
        return str(lines[begin.line][begin.column : end.column])
    parts = [lines[begin.line][begin.column :], *lines[begin.line + 1 : end.line], lines[end.line][: end.column]]
    return " ".join(part.split(" #")[0].strip() for part in parts)


def _comment(lines: list[str], first: int, last: int) -> str:
    for line in lines[first : last + 1]:
        after = re.search(r"(?:^|\s)#\s*(.+?)\s*$", line)
        if after and not line.lstrip().startswith("#"):
            return after.group(1)
    above: list[str] = []
    for line in reversed(lines[:first]):
        if not line.lstrip().startswith("#"):
            break
        above.insert(0, line.strip().lstrip("#").strip())
    return " ".join(above) if first - len(above) > 0 else ""


def defaults(path: Path, group: str = "") -> Iterator[tuple[str, str]]:
    """Yield groups and options of a file's defaults list, those of the files that it extends first."""
    for entry in read(path).get("defaults", []):
        if isinstance(entry, str):
            extended = option_file(group, entry)
            if entry != "_self_" and extended.is_file():
                yield from defaults(extended, group)
            continue
        for name, option in entry.items():
            chosen = str(name).split("@")[0].removeprefix("override ").removeprefix("optional ").strip()
            within = chosen.lstrip("/") if chosen.startswith("/") else f"{group}/{chosen}".lstrip("/")
            if isinstance(option, str) and within.split("/")[0] != "hydra":
                yield within, option


def lists(path: Path) -> dict[str, list[str]]:
    """Return the groups of a file's defaults list of which several options are chosen, and these."""
    entries = [entry for entry in read(path).get("defaults", []) if isinstance(entry, dict)]
    return {name: list(chosen) for entry in entries for name, chosen in entry.items() if isinstance(chosen, list)}


def tree(stage: str, chosen: Mapping[str, str] | None = None) -> dict[str, Key]:
    """Return every key of a stage by its full dotted name, with the options ``chosen`` or else the defaults."""
    return dict(_tree(option_file("", stage), "", chosen or {}))


def option_keys(group: str, option: str) -> list[tuple[str, Key]]:
    """Return the keys of one option by their names below it, with those of options of other groups in packages."""
    path = option_file(group, option)
    found = [(key.name, key) for key in keys(path)]
    for entry in read(path).get("defaults", []):
        for name, chosen in entry.items() if isinstance(entry, dict) else ():
            other, at, package = str(name).partition("@")
            if at:
                file = option_file(other.lstrip("/"), str(chosen))
                found += [(f"{package}.{key.name}", key) for key in keys(file)]
    return found


def _tree(path: Path, group: str, chosen: Mapping[str, str]) -> Iterator[tuple[str, Key]]:
    if not path.is_file():
        return
    later = _after_self(path, group)
    options = list(defaults(path, group))
    for name, option in options:
        if name not in later:
            yield from _tree(option_file(name, chosen.get(name, option)), name, chosen)
    prefix = group.replace("/", ".") + "." if group else ""
    for file in [*_extended(path, group), path]:
        for key in keys(file):
            yield prefix + key.name, key
    for name in later:
        yield from _tree(option_file(name, chosen.get(name, dict(options)[name])), name, chosen)


def _after_self(path: Path, group: str) -> list[str]:
    """Return the groups of a defaults list after ``_self_``, whose options replace keys of the file itself."""
    entries = read(path).get("defaults", [])
    after = entries[entries.index("_self_") + 1 :] if "_self_" in entries else []
    names = [str(name) for entry in after if isinstance(entry, dict) for name in entry]
    return [f"{group}/{name}".lstrip("/") for name in names if not name.startswith(("override ", "optional ", "/"))]


def _extended(path: Path, group: str) -> Iterator[Path]:
    for entry in read(path).get("defaults", []):
        if isinstance(entry, str) and entry != "_self_" and option_file(group, entry).is_file():
            yield from _extended(option_file(group, entry), group)
            yield option_file(group, entry)
