"""Decoding of text files, used by all line-based readers."""

from pathlib import Path

from ctxlab.core.errors import UserError
from ctxlab.data.readers.encodings import encoding_of, is_disguised
from ctxlab.data.readers.unpacked import read_bytes


def read_lines(path: Path) -> list[str]:
    r"""Return the lines of a UTF-8 file without their line ends; only ``\n`` and ``\r\n`` end a line.

    ``str.splitlines`` would also cut at U+2028 and other characters that occur inside JSON strings and tokens.

    Raises:
        UserError: The file is empty, or is not UTF-8.
    """
    return [line.removesuffix("\r") for line in read_text(path).split("\n")]


def read_text(path: Path) -> str:
    """Read a UTF-8 file without its byte order mark; raises UserError if it is empty or not UTF-8."""
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig")
        wide = is_disguised(data) and encoding_of(data)  # UTF-16 of English is valid UTF-8, with zeros between letters
    except UnicodeDecodeError as error:
        # The codec counts from after a byte order mark.
        position = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        raise not_utf8(path, data, position) from None
    if wide:
        raise not_utf8(path, data, max(data.find(b"\0"), data.find(b"\x1b"), 0))
    if not text.strip():
        raise UserError(f"{path} is empty: put at least one document into it, or name another file.")
    return text


def not_utf8(path: Path, data: bytes, position: int, *, lines_before: int = 0, bytes_before: int = 0) -> UserError:
    """Return the error of a byte that is not UTF-8.

    Args:
        path: The file.
        data: Its content, or a part of it.
        position: Place of the byte in ``data``.
        lines_before: Lines of the file before ``data``.
        bytes_before: Bytes of the file before ``data``.
    """
    line, found = lines_before + data.count(b"\n", 0, position) + 1, encoding_of(data)
    where = f"{path} line {line} is not UTF-8 (byte 0x{data[position]:02x} at offset {bytes_before + position})"
    target = f"{path.stem}.utf8{path.suffix}"
    if found is None:
        return UserError(f"{where}, nor any recognised encoding: save the file as UTF-8 in an editor.")
    return UserError(
        f"{where} but probably {found}: convert the file, for example with "
        f"`iconv -f {found} -t UTF-8 {path.name} > {target}`."
    )
