"""Opens the dashboard in a real browser while runs go on: what moves, what survives, who is refused.

The dashboard is served by tuff_test_diagnostics, which does what lines on its input say. With
TUFF_REPORT_SHOTS set to a folder, pictures of the page, wide and narrow, light and dark, are left there.
"""

import contextlib
import http.client
import json
import os
import subprocess
import time
import unittest
from pathlib import Path

from browser import Browser

SCREENS = [(1280, 900, False), (1280, 900, True), (390, 844, False), (390, 844, True)]
# How many pixels of the task stream have a colour of an operation in the table.
DRAWN = """(() => {
  const canvas = document.getElementById("stream-canvas");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const colors = [...document.querySelectorAll("#operations-table .swatch")].map(swatch =>
    getComputedStyle(swatch).backgroundColor.slice(4, -1).split(",").map(Number));
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (colors.some(([r, g, b]) => data[i] === r && data[i + 1] === g && data[i + 2] === b)) ++count;
  }
  return count;
})()"""


class Program:
    """A process that serves a dashboard and does what it is told."""

    def __init__(self):
        program = Path(os.environ["TUFF_BUILD_DIR"], "tests", "tuff_test_diagnostics")
        self.process = subprocess.Popen([program, "--gtest_filter=DashboardPage.*", "--gtest_brief=1"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={**os.environ, "TUFF_DASHBOARD_PAGE": "1"})
        self.url = self.line("http://")
        self.host = self.url.removeprefix("http://").removesuffix("/")

    def line(self, start: str) -> str:
        for line in self.process.stdout:
            if line.startswith(start):
                return line.strip()
        raise RuntimeError(f"the program ended before it said {start}")

    def tell(self, words: str):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        self.line("done")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.stdout.close()
        if self.process.wait(timeout=60) != 0:
            raise RuntimeError("the program failed")


class Client:
    """A reader of the events that is no browser."""

    def __init__(self, host: str):
        self.connection = http.client.HTTPConnection(host, timeout=20)
        self.connection.request("GET", "/events")
        self.answer = self.connection.getresponse()

    def next(self) -> dict:
        while not (line := self.answer.readline()).startswith(b"data: "):
            if not line:
                raise EOFError
        return json.loads(line.removeprefix(b"data: "))

    def close(self):
        self.answer.close()
        self.connection.close()


class DashboardInABrowser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(Browser())

    def setUp(self):
        self.program = self.enterContext(Program())
        # A page that is left open would go on asking a program that has ended, into the next test.
        self.addCleanup(lambda: self.browser.open_url("about:blank"))

    def open(self, **screen):
        self.browser.open_url(self.program.url, **screen)
        self.wait("document.getElementById('status').innerText", "live")

    def text(self, selector: str) -> str:
        return self.browser.evaluate(f"document.querySelector('{selector}').innerText")

    def texts(self, selector: str) -> list[str]:
        return self.browser.evaluate(f"[...document.querySelectorAll('{selector}')].map(e => e.innerText)")

    def wait(self, expression: str, wanted, seconds: float = 20):
        """Until the expression has this value, or one that satisfies it."""
        satisfied = wanted if callable(wanted) else lambda found: found == wanted
        end = time.monotonic() + seconds
        while not satisfied(found := self.browser.evaluate(expression)):
            if time.monotonic() > end:
                self.fail(f"{expression} is still {found!r}")
            time.sleep(0.05)
        return found

    def wait_for_run(self, tasks: str):
        self.wait("document.querySelector('#runs-table tbody td:nth-child(3)')?.innerText ?? ''", tasks)

    # --- The page ---

    def test_loads_without_complaints_and_asks_nobody_else(self):
        self.open()
        self.assertEqual(self.text("#title"), "A page in a test")
        self.assertEqual(self.browser.evaluate("document.title"), "A page in a test")
        self.assertEqual(self.texts("#facts dt"),
                         ["processors", "time in tasks", "tasks per second", "threads", "live blocks", "budget",
                          "resident", "spilled"])
        self.assertEqual(self.text("#facts div:nth-child(4) dd"), "2")
        self.assertEqual(self.text("#facts div:nth-child(6) dd"), "67.1 MB")
        self.assertEqual(self.text("#runs-empty"), "No run has started yet.")
        self.assertEqual(self.text("#operations-empty"), "No task has ended yet.")
        self.assertEqual(self.browser.complaints(), [])
        others = [url for url in self.browser.requests() if not url.startswith((self.program.url, "data:"))]
        self.assertEqual(others, [])

    def test_figures_and_pictures_move_while_a_run_goes_on(self):
        self.open()
        self.program.tell("gated")
        self.wait_for_run("0 of 101")
        self.assertEqual(self.text("#runs-lead"), "1 under way, 0 ended.")
        for opened in range(20, 101, 20):
            self.program.tell("open 20")
            if opened < 100:
                self.wait_for_run(f"{opened} of 101")
                width = self.browser.evaluate("parseFloat(document.querySelector('#runs-table .track span').style.width)")
                self.assertAlmostEqual(width, 100 * opened / 101, delta=0.1)
        self.wait("document.querySelector('#runs-lead').innerText", "0 under way, 1 ended.")
        self.wait("[...document.querySelectorAll('#operations-table tbody tr')].map(r => r.innerText).join()",
                  lambda found: "wait" in found and "join" in found)
        rows = dict(zip(self.texts("#operations-table td:nth-child(1)"), self.texts("#operations-table td:nth-child(3)"),
                        strict=True))
        self.assertEqual({name.strip(): tasks for name, tasks in rows.items()}, {"wait": "100", "join": "1"})
        drawn = self.wait(DRAWN, lambda count: count > 100)
        first = self.browser.evaluate("document.getElementById('stream-canvas').toDataURL()")
        self.wait("document.getElementById('stream-canvas').toDataURL()", lambda now: now != first)
        self.assertGreater(drawn, 100)
        self.assertEqual(self.browser.complaints(), [])

    def test_a_run_that_fails_is_shown_as_such(self):
        self.open()
        self.program.tell("fail")
        self.wait("document.querySelector('#runs-lead').innerText", "0 under way, 1 ended, 1 of them failed or cancelled.")
        self.assertEqual(self.text("#runs-table tbody td:nth-child(5)"), "failed or cancelled")
        self.wait("document.querySelector('#operations-table tbody td:nth-child(8)')?.innerText", "1")

    def test_names_are_text_and_pointing_tells_what_ran(self):
        self.open()
        self.program.tell("work")
        self.wait("document.querySelector('#operations-table')?.innerText ?? ''", lambda text: "read <b>file</b>" in text)
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('main b').length"), 0)
        time.sleep(1)
        box = self.browser.evaluate("""(() => {
          document.getElementById("pause").click();
          const canvas = document.getElementById("stream-canvas");
          canvas.scrollIntoView({block: "center"});
          const {left, top, width} = canvas.getBoundingClientRect();
          return {left, top, width};
        })()""")
        told = set()
        for x in range(1, 40, 2):
            for row in [0, 1]:
                self.browser.mouse("Moved", box["left"] + box["width"] - x, box["top"] + 40 * row + 18)
                if not self.browser.evaluate("document.getElementById('tooltip').hidden"):
                    told.add(self.text("#tooltip"))
        self.assertTrue(any(text.startswith("read <b>file</b>\n") for text in told), told)
        self.assertTrue(any(text.startswith("20 ms on thread ") and " s ago\n" in text for text in told), told)
        self.program.tell("rest")

    def test_pausing_holds_the_pictures_still_and_the_figures_go_on(self):
        self.open()
        self.program.tell("work")
        self.wait(DRAWN, lambda count: count > 100)
        self.browser.evaluate("document.getElementById('pause').click()")
        # What the program had not told yet of the time in the picture comes late on a busy machine, and is drawn.
        picture = "document.getElementById('stream-canvas').toDataURL()"
        still = self.browser.evaluate(picture)
        for _ in range(10):
            time.sleep(0.3)
            before, still = still, self.browser.evaluate(picture)
            if before == still:
                break
        runs = self.text("#runs-lead")
        self.wait("document.getElementById('runs-lead').innerText", lambda text: text != runs)
        self.wait("document.getElementById('range').innerText", lambda text: text.startswith("held still, "))
        self.assertEqual(self.browser.evaluate("document.getElementById('stream-canvas').toDataURL()"), still)
        self.browser.evaluate("document.getElementById('pause').click()")
        self.wait("document.getElementById('stream-canvas').toDataURL()", lambda now: now != still)
        self.program.tell("rest")

    def test_looks_right_on_every_screen(self):
        shots = os.environ.get("TUFF_REPORT_SHOTS")
        self.program.tell("work")
        self.program.tell("work")
        self.program.tell("gated")
        self.program.tell("open 30")
        time.sleep(32 if shots else 1)
        for width, height, dark in SCREENS:
            with self.subTest(width=width, dark=dark):
                self.open(width=width, height=height, dark=dark)
                self.wait(DRAWN, lambda count: count > 100)
                self.assertEqual(self.browser.complaints(), [])
                self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), width)
                color = self.browser.evaluate("getComputedStyle(document.documentElement).backgroundColor")
                lightness = sum(map(int, color[4:-1].split(",")))
                self.assertTrue(lightness < 150 if dark else lightness > 600, color)
                if shots:
                    name = f"dashboard-{width}-{'dark' if dark else 'light'}.png"
                    self.browser.screenshot(Path(shots, name))
        self.program.tell("rest")

    # --- Connections ---

    def test_survives_reloads_in_the_middle_of_a_run(self):
        self.open()
        self.program.tell("gated")
        for opened in [30, 60, 90]:
            self.program.tell("open 30")
            self.browser.reload()
            self.wait_for_run(f"{opened} of 101")
            self.assertEqual(self.text("#status"), "live")
            self.assertEqual(self.browser.complaints(), [])

    def test_ten_clients_at_once_and_the_page_see_the_same(self):
        with contextlib.ExitStack() as stack:
            clients = []
            for _ in range(10):
                clients.append(Client(self.program.host))
                stack.callback(clients[-1].close)
            self.open()
            self.program.tell("gated")
            self.program.tell("open 50")
            self.wait_for_run("50 of 101")
            for client in clients:
                while not any(run[2:] == [50, 101] for run in client.next()["runs"]["active"]):
                    pass
            self.assertEqual(self.browser.complaints(), [])

    def test_a_page_of_another_origin_learns_nothing(self):
        self.browser.open_url(self.program.url.replace("127.0.0.1", "localhost"))
        self.wait("document.getElementById('status').innerText", "live")  # the same server by its other name
        for path in ["", "events"]:
            answer = self.browser.evaluate(f"fetch('{self.program.url}{path}').then(a => a.text(), () => 'refused')")
            self.assertEqual(answer, "refused")
        opaque = self.browser.evaluate(f"fetch('{self.program.url}', {{mode: 'no-cors'}}).then(a => a.type, () => 'refused')")
        self.assertEqual(opaque, "refused")
        events = self.browser.evaluate(f"""new Promise(done => {{
          const source = new EventSource("{self.program.url}events");
          source.onmessage = () => done("told");
          source.onerror = () => {{ source.close(); done("refused"); }};
        }})""")
        self.assertEqual(events, "refused")
        for host, origin in [("attacker.example", None), (self.program.host, "http://attacker.example")]:
            connection = http.client.HTTPConnection(self.program.host, timeout=20)
            connection.request("GET", "/events", headers={"Host": host} | ({"Origin": origin} if origin else {}))
            self.assertEqual(connection.getresponse().status, 403)
            connection.close()

    def test_a_page_that_nobody_sees_lets_go_and_catches_up(self):
        self.open()
        hide = """(hidden => {
          Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
          document.dispatchEvent(new Event("visibilitychange"));
        })"""
        self.browser.evaluate(hide + "(true)")
        self.program.tell("gated")
        self.program.tell("open 40")
        time.sleep(1)
        self.assertEqual(self.text("#runs-empty"), "No run has started yet.")
        self.browser.evaluate(hide + "(false)")
        self.wait_for_run("40 of 101")

    def test_the_end_of_the_program_is_said_and_the_figures_stay(self):
        self.open()
        self.program.tell("fail")
        self.wait("document.querySelector('#runs-lead').innerText", lambda text: "1 ended" in text)
        self.program.tell("end")
        self.wait("document.getElementById('status').innerText", lambda text: text.startswith("no connection: "))
        self.assertIn("1 ended", self.text("#runs-lead"))


if __name__ == "__main__":
    unittest.main()
