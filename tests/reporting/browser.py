"""Headless Chromium, driven through chromedriver's HTTP protocol, which needs no package beside ``requests``."""

import base64
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip

READY = re.compile(r"started successfully on port (\d+)")

WAIT_SECONDS = 120


class Browser:
    """A window of Chromium."""

    def __init__(self, address: str, folder: Path) -> None:
        chrome = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={folder}"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": chrome, "goog:loggingPrefs": {"browser": "ALL"}}
        self._address = f"{address}/session"
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy on the way to this machine
        made = self._post("", {"capabilities": {"alwaysMatch": wanted}})
        self._address += f"/{made['sessionId']}"
        self.devtools("Emulation.setFocusEmulationEnabled", enabled=True)

    def _post(self, place: str, content: dict[str, Any]) -> Any:
        answer = self._http.post(self._address + place, json=content, timeout=WAIT_SECONDS)
        value = answer.json()["value"]
        assert answer.ok, value
        return value

    def show(self, page: Path | str, width: int, *, dark: bool = False, media: str = "") -> None:
        """Open a file or an address in a window of a width."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.devtools("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self._post("/url", {"url": page if isinstance(page, str) else page.resolve().as_uri()})

    def devtools(self, command: str, **values: Any) -> Any:
        """Run a command of the devtools protocol."""
        return self._post("/goog/cdp/execute", {"cmd": command, "params": values})

    def run(self, script: str) -> Any:
        """Run a script that returns a value."""
        return self._post("/execute/sync", {"script": script, "args": []})

    def press(self, key: str) -> None:
        """Press and release a key."""
        for kind in ("rawKeyDown", "keyUp"):
            code = {"Tab": 9, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}[key]
            self.devtools("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def messages(self) -> list[str]:
        """Return warnings and errors of the console since the last call."""
        found = self._post("/se/log", {"type": "browser"})
        return [entry["message"] for entry in found if entry["level"] in ("WARNING", "SEVERE")]

    def picture(self, path: Path) -> None:
        """Save a picture of the whole page."""
        taken = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))

    def close(self) -> None:
        """End the browser."""
        self._http.delete(self._address, timeout=WAIT_SECONDS)


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with a profile in an empty folder; it and its driver end with the block."""
    assert DRIVER is not None
    with subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout is not None
            port = next(found[1] for line in driver.stdout if (found := READY.search(line)))
            opened = Browser(f"http://127.0.0.1:{port}", folder)
            try:
                yield opened
            finally:
                opened.close()
        finally:
            driver.terminate()
