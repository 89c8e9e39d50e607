"""Folders of options of the user's own: found again, and passed on to what a command starts."""

from hydra.core.override_parser.overrides_parser import OverridesParser

from ctxlab.config.own_options import folders, words

SOURCES = [
    {"provider": "hydra", "path": "hydra.conf", "schema": "pkg"},
    {"provider": "main", "path": "/conf", "schema": "file"},
    {"provider": "command-line", "path": "/a", "schema": "file"},
    {"provider": "hydra.searchpath in command-line", "path": "/it's", "schema": "file"},
    {"provider": "hydra.searchpath in command-line", "path": "some.module", "schema": "pkg"},
]


def test_only_folders_of_the_command_line_are_the_users_own():
    assert folders(SOURCES) == ["/a", "/it's"]


def test_one_is_named_by_the_flag_and_several_by_the_key():
    assert words([]) == []
    assert words(["/a"]) == ["--config-dir", "/a"]
    (word,) = words(["/a", "/it's"])
    override = OverridesParser.create().parse_override(word)
    assert override.key_or_group == "hydra.searchpath"
    assert override.value() == ["file:///a", "file:///it's"]
