"""A Chromium without a window, driven through its debugging pipe with nothing but the standard library.

Used by the tests *_browser_test.py. Messages of the DevTools protocol go through two pipes, each ended by a
zero byte; what the page logs, throws or asks the network for is kept and can be asserted on.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

NAMES = ["chromium", "chromium-headless-shell", "chromium-browser", "google-chrome"]
SECONDS = 60  # for any one answer; a loaded machine takes some for the first page


def find_browser() -> str:
    for name in [os.environ.get("TUFF_BROWSER", ""), *NAMES]:
        if name and (path := shutil.which(name)):
            return path
    raise FileNotFoundError(f"no browser on PATH ({', '.join(NAMES)}): scripts/bootstrap.sh installs one")


class Browser:
    """One browser with one page, for use in a with statement."""

    def __init__(self):
        self.profile = tempfile.TemporaryDirectory(prefix="tuff-browser-", ignore_cleanup_errors=True)
        to_browser, self.input = os.pipe()
        self.output, from_browser = os.pipe()
        self.log = open(Path(self.profile.name, "browser.log"), "w+")

        def place_pipes():  # the browser reads from 3 and writes to 4
            reader, writer = os.dup(to_browser), os.dup(from_browser)
            os.dup2(reader, 3)
            os.dup2(writer, 4)

        command = [find_browser(), "--headless", "--remote-debugging-pipe", "--disable-gpu",
                   "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
                   "--disable-background-networking", "--disable-component-update",
                   f"--user-data-dir={self.profile.name}/profile"]
        if os.geteuid() == 0:
            command.append("--no-sandbox")  # its sandbox refuses root; the pages are our own
        self.process = subprocess.Popen([*command, "about:blank"], pass_fds=(3, 4), preexec_fn=place_pipes,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        os.close(to_browser)
        os.close(from_browser)
        self.pending = b""
        self.last = 0
        self.session = None
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.call(domain + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.input)
        os.close(self.output)
        self.log.close()
        self.profile.cleanup()

    # --- The protocol ---

    def call(self, method: str, **parameters):
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.input, data):]
        while True:
            answer = self.receive()
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def receive(self) -> dict:
        end = time.monotonic() + SECONDS
        while b"\0" not in self.pending:
            ready, _, _ = select.select([self.output], [], [], max(end - time.monotonic(), 0))
            data = os.read(self.output, 1 << 20) if ready else b""
            if not data:
                self.log.seek(0)
                raise TimeoutError(f"the browser does not answer; it said:\n{self.log.read()[-2000:]}")
            self.pending += data
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def wait_for(self, method: str):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.receive())

    # --- The page ---

    def open(self, path: Path, **screen):
        self.open_url(path.as_uri(), **screen)

    def open_url(self, url: str, width: int = 1280, height: int = 900, dark: bool = False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")
        self.settle()

    def reload(self):
        self.events.clear()
        self.call("Page.reload")
        self.wait_for("Page.loadEventFired")
        self.settle()

    def evaluate(self, expression: str):
        """The value of an expression, or of the promise that it is."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def settle(self):
        """Until what was asked for is drawn: the frame after the next one."""
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def mouse(self, kind: str, x: float, y: float, **more):
        self.call("Input.dispatchMouseEvent", type="mouse" + kind, x=x, y=y, **more)
        self.settle()

    def key(self, key: str, text: str = ""):
        for kind in ["keyDown", "keyUp"]:
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **({"text": text} if text else {}))
        self.settle()

    def complaints(self) -> list[str]:
        """Errors and warnings that the page logged or threw."""
        found = []
        for event in self.events:
            parameters = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"]))
            elif event.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in ["error", "warning"]:
                found.append(str(parameters["args"]))
            elif event.get("method") == "Log.entryAdded" and "getImageData" not in str(parameters):
                # Reading a canvas back often is slow, it says; only tests do that.
                found.append(str(parameters["entry"]))
        return found

    def requests(self) -> list[str]:
        return [event["params"]["request"]["url"] for event in self.events
                if event.get("method") == "Network.requestWillBeSent"]

    def screenshot(self, path: Path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))
