"""Shell completion: the script for a shell, and the candidates that it queries."""

import re
from collections.abc import Iterable

from ctxlab.command import help as help_pages
from ctxlab.command import selected, suggestions
from ctxlab.command.flags import CFG_PARTS, INFO_TOPICS, LONG, REFUSED
from ctxlab.config import catalogue
from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import UserError

SCRIPTS = {
    "bash": """\
_ctxlab() {
    local line="${COMP_LINE:0:COMP_POINT}" word reply
    word="${line##* }"
    mapfile -t COMPREPLY < <(ctxlab completion query "$line" 2>/dev/null)
    if [[ "$word" == *=* && "$COMP_WORDBREAKS" == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%=*}="}")
    fi
    if [[ ${#COMPREPLY[@]} -eq 0 && "$word" == *=* ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "${word#*=}")
    elif [[ "$line" == *" report "* && "$word" != *=* ]]; then
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -S / -d -- "$word")
    fi
    for reply in "${COMPREPLY[@]}"; do
        [[ "$reply" == *[=./] ]] && compopt -o nospace
    done
}
complete -F _ctxlab ctxlab
""",
    "zsh": """\
#compdef ctxlab
_ctxlab() {
    local line="${BUFFER[1,CURSOR]}"
    local -a replies
    replies=("${(@f)$(ctxlab completion query "$line" 2>/dev/null)}")
    replies=(${replies:#})
    if (( ${#replies} )); then
        compadd -S '' -- $replies
    else
        compset -P '*=' && _files
    fi
    [[ "$line" == *" report "* && "${line##* }" != *=* ]] && _files -/
}
compdef _ctxlab ctxlab
""",
}

COMMANDS = (*help_pages.COMMANDS, "help", "--help", "--version")
"""First words that are not stages."""

SWITCH_VALUES = ("true", "false")


def script(shell: str) -> str:
    """Return the script that the shell evaluates.

    Raises:
        UserError: for a shell without a script.
    """
    if shell not in SCRIPTS:
        raise UserError(f"There is no completion for '{shell}'{suggestion(shell, SCRIPTS, 'shells')}")
    return SCRIPTS[shell]


def query(line: str) -> list[str]:
    """Return the completions of the last word of a command line; none where a file is expected."""
    words = line.split(" ")
    last, before = words[-1], [word for word in words[1:-1] if word]
    if not before:
        return _beginning(last, [*catalogue.stages(), *COMMANDS])
    if before[0] == "completion":
        return _beginning(last, SCRIPTS)
    if before == ["help"]:
        return _beginning(last, [*catalogue.stages(), *help_pages.COMMANDS])
    if before[0] == "strategies":
        return _beginning(last, catalogue.options("strategy"))
    if before[0] not in catalogue.stages():
        return []
    if last.startswith("-"):
        return _beginning(last, [name for name in LONG.values() if name not in REFUSED])
    if before[-1] in ("--cfg", "-c"):
        return _beginning(last, CFG_PARTS)
    if before[-1] in ("--info", "-i"):
        return _beginning(last, INFO_TOPICS)
    return _overrides(before[0], before[1:], last)


def _overrides(stage: str, before: Iterable[str], last: str) -> list[str]:
    prefix = last[: len(last) - len(last.lstrip("+~"))]
    body = last[len(prefix) :]
    if "=" in body:
        return _values(stage, before, prefix, body)
    groups = _groups(stage)
    keys = [
        *(f"{group}=" for group in groups),
        *(f"{key}=" for key in selected.keys(stage, before) if key not in groups),
    ]
    found = [prefix + key for key in keys if key.startswith(body)]
    return found if re.search(r"[./]", body) or len(found) < 2 else _shortened(found, body, prefix)


def _shortened(found: list[str], body: str, prefix: str) -> list[str]:
    """Cut nested names after the next dot or slash, so that the first TAB does not show hundreds."""
    start = len(prefix) + len(body)
    ends = ((word, re.search(r"[./]", word[start:])) for word in found)
    return list(dict.fromkeys(word[: start + end.end()] if end else word for word, end in ends))


def _values(stage: str, before: Iterable[str], prefix: str, body: str) -> list[str]:
    key, _, value = body.partition("=")
    start = value.rpartition(",")[0]
    stem = f"{prefix}{key}={start}," if start else f"{prefix}{key}="
    last = value.rpartition(",")[2]
    if key in catalogue.groups():
        return [stem + option for option in _beginning(last, catalogue.options(key))]
    entry = selected.keys(stage, before).get(key)
    if entry is None:
        return []
    if entry.value in SWITCH_VALUES:
        return [stem + text for text in _beginning(last, SWITCH_VALUES)]
    choices = [text.strip() for text in entry.comment.split(";")[0].split("|")] if "|" in entry.comment else []
    return [stem + text for text in _beginning(last, [text for text in choices if " " not in text])]


def _groups(stage: str) -> list[str]:
    groups = suggestions.stage_groups(stage)
    experiment = selected.EXPERIMENT if "task" in groups else None
    return [group for group in catalogue.groups() if group in groups or group == experiment]


def _beginning(start: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(start)]
