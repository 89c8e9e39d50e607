"""Files of other programs are recognised, and the message gives a conversion command with both file names."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.readers.foreign import COMMANDS
from ctxlab.data.readers.read import read_file


@pytest.mark.parametrize("extension", COMMANDS)
def test_the_command_names_the_file(extension, tmp_path):
    (tmp_path / f"a{extension}").write_bytes(b"x")
    with pytest.raises(UserError, match=f"`.*a{extension}.*`") as caught:
        read_file(tmp_path / f"a{extension}", "ner")
    assert "\n" not in str(caught.value)


def test_what_can_run_code_is_not_loaded(tmp_path):
    (tmp_path / "a.pkl").write_bytes(b"x")
    with pytest.raises(UserError, match="never loaded because it can run code"):
        read_file(tmp_path / "a.pkl", "ner")


def test_python_commands_are_valid_python():
    for _, command in COMMANDS.values():
        if command.startswith("python -c"):
            compile(command.split('"')[1].format(file="a", stem="b"), "command", "exec")
