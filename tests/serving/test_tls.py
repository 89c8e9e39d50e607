"""HTTPS with a certificate that the test makes, on the loopback address."""

import json
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request

import pytest

from ctxlab.core.errors import UserError
from ctxlab.serving.tls import context
from tests.serving.fake import running

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Certificate and key."""
    return make(tmp_path_factory.mktemp("tls"))


def make(folder):
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = ["openssl", "req", "-x509", *kind, *names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    key.chmod(0o600)
    return str(certificate), str(key)


def test_documents_over_tls_and_clients_that_never_shake_hands(made, tmp_path):
    trusting = ssl.create_default_context(cafile=made[0])
    with running(tmp_path, tls=context(*made), head_seconds=0.3) as found:
        request = urllib.request.Request(
            f"https://127.0.0.1:{found.port}/v1/documents", b"{}", {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30, context=trusting) as answer:
            assert json.loads(answer.read()) == {"record": {"size": 2}}
        with socket.create_connection(("127.0.0.1", found.port), timeout=30) as silent:
            began = time.monotonic()
            assert silent.recv(10) == b""
            assert time.monotonic() - began < 20
        with socket.create_connection(("127.0.0.1", found.port), timeout=30) as plain:
            plain.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: a\r\n\r\n")
            assert not plain.recv(100).startswith(b"HTTP")


def test_bad_files_are_one_sentence(made, tmp_path):
    (tmp_path / "other").mkdir()
    other = make(tmp_path / "other")
    certificate, key = made
    open_key = tmp_path / "open.pem"
    shutil.copy(key, open_key)
    open_key.chmod(0o640)
    locked = tmp_path / "locked.pem"
    encrypt = ["openssl", "pkcs8", "-topk8", "-in", key, "-out", str(locked), "-passout", "pass:secret"]
    subprocess.run(encrypt, check=True, capture_output=True)
    locked.chmod(0o600)
    for given, says in [
        ((certificate, None), "serve.tls.certificate= needs serve.tls.key="),
        ((None, key), "serve.tls.key= needs serve.tls.certificate="),
        ((certificate, "/nowhere"), "serve.tls.key=/nowhere cannot be read"),
        ((certificate, str(open_key)), "can be read by others than its owner: chmod 600"),
        ((certificate, other[1]), "key values mismatch"),
        ((key, key), "cannot be used"),
        ((certificate, str(locked)), "has a password"),
    ]:
        with pytest.raises(UserError, match=says):
            context(*given)
    assert context(None, None) is None
