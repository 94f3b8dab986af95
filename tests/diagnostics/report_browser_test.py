"""Opens the report in a real browser and looks at it: what is drawn, what the mouse and the keys do.

The pages are written by tuff_test_diagnostics. With TUFF_REPORT_SHOTS set to a folder, pictures of all
pages, wide and narrow, light and dark, are left there for the eye.
"""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from browser import Browser

PAGES = ["fit", "simple", "empty", "thousand", "large", "wide", "beyond"]
SCREENS = [(1280, 900, False), (1280, 900, True), (390, 844, False), (390, 844, True)]

# Colour of a canvas at a point given in CSS pixels, as [red, green, blue, alpha].
PIXEL = """((id, x, y) => {
  const canvas = document.getElementById(id), scale = canvas.width / canvas.clientWidth;
  return [...canvas.getContext("2d").getImageData(Math.floor(x * scale), Math.floor(y * scale), 1, 1).data];
})"""
# How many different colours a canvas holds.
COLORS = """((id) => {
  const canvas = document.getElementById(id);
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return new Set(new Uint32Array(data.buffer)).size;
})"""


class ReportInABrowser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tuff-pages-")
        cls.addClassCleanup(cls.folder.cleanup)
        program = Path(os.environ["TUFF_BUILD_DIR"], "tests", "tuff_test_diagnostics")
        subprocess.run([program, "--gtest_filter=ReportPage.*"], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "TUFF_REPORT_PAGES": cls.folder.name})
        cls.browser = cls.enterClassContext(Browser())

    def open(self, page: str, **screen):
        self.browser.open(Path(self.folder.name, page + ".html"), **screen)

    def text(self, selector: str) -> str:
        return self.browser.evaluate(f"document.querySelector('{selector}').innerText")

    def texts(self, selector: str) -> list[str]:
        return self.browser.evaluate(f"[...document.querySelectorAll('{selector}')].map(e => e.innerText)")

    def count(self, selector: str) -> int:
        return self.browser.evaluate(f"document.querySelectorAll('{selector}').length")

    def range(self) -> str:
        return self.text("#range")

    def point(self, row: int, share: float, height: float = 0.5) -> tuple[float, float]:
        """A point of the page: in a row of the task stream, at shares of its time and of its height."""
        box = self.browser.evaluate("""(() => {
          const canvas = document.getElementById("stream-canvas");
          canvas.scrollIntoView({block: "center"});
          const {left, top, width, height} = canvas.getBoundingClientRect();
          return {left, top, width, height};
        })()""")
        margin = 34 if box["width"] < 500 else 58
        rows, phases = self.rows
        return (box["left"] + margin + share * (box["width"] - margin),
                box["top"] + phases + (row + 1 - height) * (box["height"] - 24 - phases) / rows)

    def pixel(self, row: int, share: float, height: float = 0.5) -> list[int]:
        x, y = self.point(row, share, height)
        return self.browser.evaluate(f"""(() => {{
          const box = document.getElementById("stream-canvas").getBoundingClientRect();
          return {PIXEL}("stream-canvas", {x} - box.left, {y} - box.top);
        }})()""")

    def swatches(self) -> dict[str, list[int]]:
        found = self.browser.evaluate("""[...document.querySelectorAll("#legend li")].map(item =>
          [item.innerText, getComputedStyle(item.querySelector(".swatch")).backgroundColor])""")
        return {name: [*map(int, color[4:-1].split(",")), 255] for name, color in found}

    # --- Every page ---

    def test_no_page_complains_or_asks_the_network_or_is_too_wide(self):
        shots = os.environ.get("TUFF_REPORT_SHOTS")
        for page in PAGES:
            for width, height, dark in SCREENS:
                with self.subTest(page=page, width=width, dark=dark):
                    self.open(page, width=width, height=height, dark=dark)
                    if shots:
                        name = f"{page}-{width}-{'dark' if dark else 'light'}.png"
                        self.browser.screenshot(Path(shots, name))
                    self.assertEqual(self.browser.complaints(), [])
                    others = [url for url in self.browser.requests() if not url.startswith(("file:", "data:"))]
                    self.assertEqual(others, [])
                    self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), width)

    def test_the_system_decides_between_light_and_dark(self):
        lightness = []
        for dark in [False, True]:
            self.open("simple", dark=dark)
            self.rows = (2, 46)
            color = self.browser.evaluate("getComputedStyle(document.documentElement).backgroundColor")
            lightness.append((sum(map(int, color[4:-1].split(","))), sum(self.pixel(0, 0.9)[:3])))
        self.assertGreater(lightness[0][0], 600)
        self.assertGreater(lightness[0][1], 600, "the canvas follows")
        self.assertLess(lightness[1][0], 150)
        self.assertLess(lightness[1][1], 200)

    # --- What is drawn ---

    def test_tasks_are_drawn_where_and_when_they_ran(self):
        self.open("simple")
        self.rows = (2, 46)
        colors = self.swatches()
        self.assertEqual(set(colors), {"first <b>operation</b>", "second"}, "names are text, not markup")
        first, second = colors["first <b>operation</b>"], colors["second"]
        self.assertEqual(self.pixel(0, 0.3), first)
        self.assertEqual(self.pixel(0, 0.6), second)
        self.assertEqual(self.pixel(1, 0.4), second)
        for row, share in [(0, 0.9), (1, 0.1), (1, 0.9)]:
            self.assertNotIn(self.pixel(row, share), [first, second])

    def test_figures_are_those_of_the_phase_asked_for(self):
        self.open("simple")
        facts = dict(zip(self.texts("#facts dt"), self.texts("#facts dd"), strict=True))
        self.assertEqual(facts, {"seconds (inner)": "0.0005", "white space (inner)": "25.0 %",
                                 "through tasks (inner)": "6 GB/s", "threads": "2"})
        self.assertIn("White space: 50.0 %", self.text("#stream-lead"))
        self.assertEqual(self.texts("#phases .figure:first-child tbody tr:nth-child(2) td"),
                         ["inner", "0.0005", "25.0 %", "2", "750 µs", "3 MB", "6"])

    def test_operations_have_their_sums(self):
        self.open("simple")
        self.assertEqual(self.texts("#operations tbody td"), [
            "first <b>operation</b>", "", "50.0 %", "500 µs", "1", "500 µs", "1.5 MB", "8 B", "3",
            "second", "", "50.0 %", "500 µs", "2, 1 failed", "250 µs", "3 MB", "16 B", "6"])
        widths = self.browser.evaluate("""[...document.querySelectorAll("#operations .bar")].map(bar =>
          bar.style.width)""")
        self.assertEqual(widths, ["100%", "100%"])

    def test_memory_is_drawn_with_its_peaks(self):
        self.open("simple")
        self.assertIn("At most 3 MB resident in the process, at most 2 MB in live blocks", self.text("#memory-lead"))
        self.assertIn("At most 1.5 processors at work", self.text("#memory-lead"))
        self.assertGreater(self.browser.evaluate(f"{COLORS}('memory-canvas')"), 10)
        self.assertGreater(self.browser.evaluate(f"{COLORS}('cpu-canvas')"), 10)

    def test_pointing_at_memory_and_processors_tells_their_figures(self):
        self.open("simple")
        for canvas, want in [("memory-canvas", ["3 MB", "2 MB"]), ("cpu-canvas", ["150.0 %"])]:
            box = self.browser.evaluate(f"""(() => {{
              const canvas = document.getElementById("{canvas}");
              canvas.scrollIntoView({{block: "center"}});
              const {{left, top, width}} = canvas.getBoundingClientRect();
              return {{left, top, width}};
            }})()""")
            self.browser.mouse("Moved", box["left"] + 58 + 0.49 * (box["width"] - 58), box["top"] + 30)
            for text in want:
                self.assertIn(text, self.text("#tooltip"))

    def test_white_space_has_the_colour_of_its_cause(self):
        self.open("simple")
        self.rows = (2, 46)
        names = ["waiting for input", "waiting for memory", "waiting for resources", "none ready", "stealing",
                 "spilled, hollow: read back"]
        self.assertEqual(self.texts("#waits li"), names)
        colors = dict(self.browser.evaluate("""[...document.querySelectorAll("#waits li")].map(item =>
          [item.innerText, getComputedStyle(item.querySelector(".swatch")).backgroundColor])"""))
        for row, share, name in [(0, 0.8, "waiting for memory"), (0, 0.9, "stealing"), (1, 0.1, "none ready"),
                                 (1, 0.6, "waiting for input"), (1, 0.75, "waiting for resources")]:
            with self.subTest(name):
                red, green, blue, _ = self.pixel(row, share, 0.7)
                self.assertEqual(f"rgb({red}, {green}, {blue})", colors[name])
        self.browser.mouse("Moved", *self.point(1, 0.6))
        self.assertEqual(self.text("#tooltip"), "waiting for input\nno task\ton thread 1\nstart\t0.500 ms\nduration\t200 µs")

    def test_the_threads_time_is_explained_to_the_last_percent(self):
        self.open("simple")
        self.assertEqual(self.texts("#white-space th"), [
            "Share of the threads' time", "in tasks", " waiting for input", " waiting for memory",
            " waiting for resources", " none ready", " stealing", "between tasks", "outside runs"])
        rows = {}
        for row in self.browser.evaluate("""[...document.querySelectorAll("#white-space tbody tr")].map(row =>
              [...row.children].map(cell => cell.innerText))"""):
            rows[row[0]] = row[1:]
            self.assertAlmostEqual(sum(float(cell.split()[0]) for cell in row[1:]), 100, delta=0.4)
        self.assertEqual(rows["outer"], ["50.0 %", "10.0 %", "5.0 %", "5.0 %", "12.5 %", "5.0 %", "7.5 %", "5.0 %"])
        self.assertEqual(rows["inner"], ["75.0 %", "20.0 %", "0.0 %", "5.0 %", "0.0 %", "0.0 %", "0.0 %", "0.0 %"])
        self.open("thousand")
        self.assertEqual([text.strip() for text in self.texts("#white-space th")], [
            "Share of the threads' time", "in tasks", "none ready", "between tasks", "outside runs"])

    def test_spills_are_marked_in_the_stream_and_in_the_memory(self):
        self.open("simple")
        self.rows = (2, 46)
        self.assertIn("1 block (2 MB) went to disk, 1 block (2 MB) came back.", self.text("#memory-lead"))
        color = self.browser.evaluate("getComputedStyle(document.querySelector('#waits li:last-child .swatch')).backgroundColor")
        red, green, blue, _ = self.pixel(1, 0.15, 0.13)
        self.assertEqual(f"rgb({red}, {green}, {blue})", color)
        memory = self.browser.evaluate("""((canvas) => {
          const y = canvas.clientHeight - 24 - 4, x = 58 + 0.15 * (canvas.clientWidth - 58);
          return [...canvas.getContext("2d").getImageData(x, y, 1, 1).data].slice(0, 3);
        })(document.getElementById("memory-canvas"))""")
        self.assertEqual(f"rgb({memory[0]}, {memory[1]}, {memory[2]})", color)
        self.open("fit")
        self.assertNotIn("spilled", self.text("#waits"))

    def test_the_layer_graph_has_a_box_for_each_layer_and_an_arrow_for_each_read(self):
        self.open("simple")
        self.assertEqual(self.count("#graphs .node"), 4)
        self.assertEqual(self.count("#graphs .canvas > svg > path"), 5)
        boxes = self.browser.evaluate("""[...document.querySelectorAll("#graphs .node")].map(node => {
          const {left, right, top, bottom} = node.getBoundingClientRect();
          return {name: node.querySelector("strong").innerText, left, right, top, bottom};
        })""")
        by_name = {box["name"]: box for box in boxes}
        for above, below in [("source", "left"), ("source", "right"), ("left", "join"), ("right", "join")]:
            self.assertLess(by_name[above]["bottom"], by_name[below]["top"])
        for a in boxes:
            for b in boxes:
                apart = (a["right"] <= b["left"] or b["right"] <= a["left"] or a["bottom"] <= b["top"]
                         or b["bottom"] <= a["top"])
                self.assertTrue(a is b or apart, f"{a} covers {b}")
        self.assertEqual(self.text("#graphs .node"), "source\nin memory before the run\nfloat64 (4,)")

    def test_a_fit_shows_coefficients_and_histories(self):
        self.open("fit")
        self.assertEqual(self.text("#title"), "Logistic regression by gradient descent")
        self.assertEqual(self.count("#tables tbody tr"), 3)
        self.assertEqual(self.texts("#histories h3"), ["Gradient norm norm, log scale", "Coefficient of x0"])
        points = self.browser.evaluate("document.querySelector('#histories .curve').getAttribute('d').split('L').length")
        self.assertEqual(points, 60)
        self.assertGreater(self.browser.evaluate(f"{COLORS}('stream-canvas')"), 10)
        self.assertEqual(self.count("#graphs .figure"), 2)
        named = self.browser.evaluate("""[...document.querySelectorAll("#graphs .node")].filter(node =>
          node.style.borderLeftColor !== "").length""")
        self.assertGreater(named, 0, "layers have the colours of their tasks")

    def test_what_is_missing_is_said_in_words(self):
        self.open("empty")
        self.assertEqual(self.texts(".empty"), [
            "No tasks were recorded, so there is nothing to draw here.", "No tasks were recorded.",
            "No memory was sampled.", "No layer graph was given."])
        self.assertEqual(self.count("canvas"), 0)
        self.open("simple")
        self.assertIn("No value can be drawn on a log scale.", self.text("#histories"))

    # --- Pointing and zooming ---

    def test_pointing_at_a_task_tells_all_about_it(self):
        self.open("simple")
        self.rows = (2, 46)
        x, y = self.point(1, 0.4)
        self.browser.mouse("Moved", x, y)
        self.assertEqual(self.text("#tooltip").split("\n"), [
            "second", "task\t1\u202f234\u202f567 on thread 1", "start\t0.250 ms", "duration\t250 µs", "read\t1.5 MB",
            "written\t8 B", "rate\t6 GB/s", "result\tfailed"])
        box = self.browser.evaluate("""(() => {
          const {left, top, right, bottom} = document.getElementById("tooltip").getBoundingClientRect();
          return left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
        })()""")
        self.assertTrue(box, "it lies on the screen")
        self.browser.mouse("Moved", *self.point(1, 0.9))
        self.assertTrue(self.browser.evaluate("document.getElementById('tooltip').hidden"), "white space")

    def test_the_wheel_zooms_around_the_pointer_and_a_double_click_shows_all(self):
        self.open("simple")
        self.rows = (2, 46)
        everything = self.range()
        self.assertEqual(everything, "0.000 ms – 1.000 ms (1 ms)")
        x, y = self.point(0, 0.5)
        color = self.pixel(0, 0.5 - 0.02)
        self.browser.mouse("Wheel", x, y, deltaX=0, deltaY=-400)
        self.assertEqual(self.range(), "0.316 ms – 0.684 ms (368 µs)")
        self.assertEqual(self.pixel(0, 0.1), color, "drawn anew: the first task reaches to the middle")
        self.browser.mouse("Wheel", x, y, deltaX=0, deltaY=400)
        self.assertEqual(self.range(), everything)
        self.browser.mouse("Wheel", x, y, deltaX=0, deltaY=-400)
        for clicks in [1, 2]:
            self.browser.mouse("Pressed", x, y, button="left", clickCount=clicks)
            self.browser.mouse("Released", x, y, button="left", clickCount=clicks)
        self.assertEqual(self.range(), everything)

    def test_dragging_moves_the_view_with_the_pointer(self):
        self.open("simple")
        self.rows = (2, 46)
        self.browser.evaluate("document.getElementById('zoom-in').click()")
        self.assertEqual(self.range(), "0.250 ms – 0.750 ms (500 µs)")
        (x, y), (to, _) = self.point(0, 0.6), self.point(0, 0.4)
        self.browser.mouse("Pressed", x, y, button="left", clickCount=1)
        self.browser.mouse("Moved", to, y, button="left", buttons=1)
        self.browser.mouse("Released", to, y, button="left", clickCount=1)
        self.assertEqual(self.range(), "0.350 ms – 0.850 ms (500 µs)")

    def test_buttons_and_keys_do_what_the_mouse_does(self):
        self.open("simple")
        press = lambda name: self.browser.evaluate(f"document.getElementById('{name}').click()")
        press("zoom-in")
        press("pan-left")
        self.assertEqual(self.range(), "0.125 ms – 0.625 ms (500 µs)")
        press("pan-right")
        press("zoom-out")
        self.assertEqual(self.range(), "0.000 ms – 1.000 ms (1 ms)")
        self.browser.evaluate("document.getElementById('stream-canvas').focus()")
        self.browser.key("+", "+")
        self.assertEqual(self.range(), "0.167 ms – 0.833 ms (667 µs)")
        self.browser.key("ArrowRight")
        self.assertEqual(self.range(), "0.300 ms – 0.967 ms (667 µs)")
        self.browser.key("0", "0")
        self.assertEqual(self.range(), "0.000 ms – 1.000 ms (1 ms)")
        names = self.browser.evaluate("""[...document.querySelectorAll("button")].map(button =>
          button.getAttribute("aria-label") ?? button.innerText)""")
        self.assertEqual(names, ["Zoom in", "Zoom out", "Earlier", "Later", "All"])

    def test_a_million_tasks_can_be_seen_whole_and_one_by_one(self):
        self.open("large")
        self.rows = (4, 26)
        self.assertIn("1\u202f000\u202f000 tasks in 125\u202f000 runs", self.text("#stream-lead"))
        self.assertNotIn("added up to keep", self.text("#stream-lead"))
        colors = self.swatches()
        # Half of the tasks' time is that of sum, and 19 % of all is white space: that fills a column from
        # its foot to 40 %, and leaves the top fifth.
        for row in range(4):
            self.assertEqual(self.pixel(row, 0.7, 0.3), colors["sum"])
            self.assertEqual(self.pixel(row, 0.7, 0.6), colors["fused(exp, multiply)"])
            self.assertNotIn(self.pixel(row, 0.7, 0.9), colors.values())
        self.browser.mouse("Moved", *self.point(2, 0.5))
        self.assertRegex(self.text("#tooltip"), r"and \d+ tasks more under this point: zoom in")
        x, y = self.point(2, 0.5)
        for _ in range(12):
            self.browser.mouse("Wheel", x, y, deltaX=0, deltaY=-400)
        for share in [0.3, 0.4, 0.5, 0.6, 0.7]:
            self.browser.mouse("Moved", *self.point(2, share))
            if self.text("#tooltip"):
                break
        self.assertNotIn("more under this point", self.text("#tooltip"))
        self.assertRegex(self.text("#tooltip"), r"task\t[45] on thread 2")
        self.assertEqual(self.browser.complaints(), [])


    def test_sixty_four_threads_fit_the_screen(self):
        self.open("wide")
        self.rows = (64, 26)
        self.assertIn("1\u202f000\u202f064 tasks", self.text("#stream-lead"))
        colors = self.swatches()
        height = self.browser.evaluate("document.getElementById('stream-canvas').clientHeight")
        self.assertLess(height, 700)
        for row in [0, 31, 63]:
            self.assertEqual(self.pixel(row, 0.7, 0.3), colors["sum"])

    def test_what_was_added_up_looks_the_same_and_says_so(self):
        self.open("beyond")
        self.rows = (4, 26)
        self.assertIn("2\u202f000\u202f000 tasks in 250\u202f000 runs", self.text("#stream-lead"))
        self.assertRegex(self.text("#stream-lead"), r"Tasks and waits shorter than [\d.]+ µs were added up")
        colors = self.swatches()
        for row in range(4):
            self.assertEqual(self.pixel(row, 0.7, 0.3), colors["sum"])
            self.assertEqual(self.pixel(row, 0.7, 0.6), colors["fused(exp, multiply)"])
            self.assertNotIn(self.pixel(row, 0.7, 0.9), colors.values())
        self.assertEqual(self.texts("#operations tbody tr:first-child td")[4], "1\u202f000\u202f000", "sums are exact")
        x, y = self.point(2, 0.5)
        for _ in range(13):
            self.browser.mouse("Wheel", x, y, deltaX=0, deltaY=-400)
        for share in [0.3, 0.4, 0.5, 0.6, 0.7]:
            self.browser.mouse("Moved", *self.point(2, share))
            if not self.browser.evaluate("document.getElementById('tooltip').hidden"):
                break
        self.assertRegex(self.text("#tooltip"), r"^\d+ tasks? on thread 2")
        self.assertRegex(self.text("#tooltip"), r"sum\t\d+ tasks?, [\d.]+ µs\n")
        self.assertRegex(self.text("#tooltip"), r"read\t[\d.]+ kB\nwritten\t[\d.]+ kB\n")
        self.assertRegex(self.text("#tooltip"), r"shorter than [\d.]+ µs was added up when this page was written")
        self.assertEqual(self.browser.complaints(), [])


if __name__ == "__main__":
    unittest.main()
