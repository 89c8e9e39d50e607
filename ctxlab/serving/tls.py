"""TLS of the server's own: a certificate and its key from files."""

import ssl
from os import fstat
from pathlib import Path
from typing import NoReturn

from ctxlab.core.errors import UserError
from ctxlab.serving.keys import OTHERS


def context(certificate: str | None, key: str | None) -> ssl.SSLContext | None:
    """Return how connections are encrypted (TLS 1.2 or later); None if neither file is given.

    Args:
        certificate: PEM file of the certificate, followed by those that it is signed with.
        key: PEM file of its key, without a password.

    Raises:
        UserError: One of the two is missing, cannot be read or does not fit, or others can read the key.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        missing, there = ("certificate", "key") if certificate is None else ("key", "certificate")
        raise UserError(f"serve.tls.{there}= needs serve.tls.{missing}=: give both, or neither for HTTP without TLS.")
    _check(Path(certificate), "serve.tls.certificate", is_secret=False)
    _check(Path(key), "serve.tls.key", is_secret=True)
    found = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        found.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        reason = (error.reason or "not in PEM form").lower().replace("_", " ")
        raise UserError(
            f"serve.tls.certificate={certificate} and serve.tls.key={key} cannot be used ({reason}): give PEM files of "
            "a certificate and of its own key."
        ) from None
    return found


def _no_password() -> NoReturn:
    raise UserError("The key of serve.tls.key= has a password, for which a server cannot ask: give one without.")


def _check(path: Path, name: str, *, is_secret: bool) -> None:
    """Raise UserError if a file cannot be read, or is a secret that others can read."""
    try:
        with path.open("rb") as file:
            mode = fstat(file.fileno()).st_mode
            file.read(1)
    except OSError as error:
        raise UserError(f"{name}={path} cannot be read ({str(error.strerror).lower()}): give a PEM file.") from None
    if is_secret and mode & OTHERS:
        raise UserError(f"{name}={path} can be read by others than its owner: chmod 600 {path}.")
