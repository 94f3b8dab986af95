"""Opens explanations in a real browser and looks at them: what stands there, what clicks and words do.

The pages are written by tuff_test_diagnostics. With TUFF_REPORT_SHOTS set to a folder, pictures of all
pages, wide and narrow, light and dark, are left there for the eye.
"""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from browser import Browser

PAGES = ["standardised", "names", "thousand"]
SCREENS = [(1280, 900, False), (1280, 900, True), (390, 844, False), (390, 844, True)]


class ExplanationInABrowser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tuff-pages-")
        cls.addClassCleanup(cls.folder.cleanup)
        program = Path(os.environ["TUFF_BUILD_DIR"], "tests", "tuff_test_diagnostics")
        subprocess.run([program, "--gtest_filter=ExplainPage.*"], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "TUFF_EXPLAIN_PAGES": cls.folder.name})
        cls.browser = cls.enterClassContext(Browser())

    def open(self, page: str, **screen):
        self.browser.open(Path(self.folder.name, page + ".html"), **screen)

    def text(self, selector: str) -> str:
        return self.browser.evaluate(f"document.querySelector('{selector}').innerText")

    def texts(self, selector: str) -> list[str]:
        return self.browser.evaluate(f"[...document.querySelectorAll('{selector}')].map(e => e.innerText)")

    def count(self, selector: str) -> int:
        return self.browser.evaluate(f"document.querySelectorAll('{selector}').length")

    def click(self, selector: str):
        self.browser.evaluate(f"document.querySelector('{selector}').click()")
        self.browser.settle()

    def filter(self, words: str):
        self.browser.evaluate(f"""(() => {{
          const field = document.getElementById("filter");
          field.value = "{words}";
          field.dispatchEvent(new Event("input"));
        }})()""")

    def test_no_page_complains_or_asks_the_network_or_is_too_wide(self):
        shots = os.environ.get("TUFF_REPORT_SHOTS")
        for page in PAGES:
            for width, height, dark in SCREENS:
                with self.subTest(page=page, width=width, dark=dark):
                    self.open(page, width=width, height=height, dark=dark)
                    if shots:
                        name = f"explain-{page}-{width}-{'dark' if dark else 'light'}.png"
                        self.browser.screenshot(Path(shots, name))
                    self.assertEqual(self.browser.complaints(), [])
                    others = [url for url in self.browser.requests() if not url.startswith(("file:", "data:"))]
                    self.assertEqual(others, [])
                    self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), width)

    def test_facts_hints_passes_and_choices_stand_there(self):
        self.open("standardised")
        self.assertEqual(self.text("h1"), "Standardised")
        facts = dict(zip(self.texts("#facts dt"), self.texts("#facts dd"), strict=True))
        self.assertEqual(facts["held at most"], "9.6 MB")
        self.assertEqual(facts["results"], "24 B")
        self.assertIn("is held whole, 9.6 MB", self.texts("#hints li")[0])
        rows = self.texts("#passes tbody tr td:first-child")
        self.assertEqual(rows[0], "cse")
        self.assertIn("rematerialize", rows)
        self.assertIn("tiles", self.texts("#choices tbody tr td:first-child"))

    def test_each_stage_shows_its_own_layers(self):
        self.open("standardised")
        stages = self.texts("#stages button")
        self.assertEqual((stages[0], stages[-1]), ("as built", "as run"))
        self.assertIn("after rematerialize", stages)
        run = self.count("#layer-table tbody tr")
        self.assertIn("Held", self.texts("#layer-table th"))
        self.click("#stages button")
        built = self.count("#layer-table tbody tr")
        self.assertGreater(built, run)
        self.assertEqual(self.text("#shown"), f"{built} layers")
        self.assertNotIn("Held", self.texts("#layer-table th"), "bytes are those of the layers that run")
        self.assertEqual(self.count("#picture .node"), built)
        self.assertEqual(self.browser.complaints(), [])

    def test_a_pass_that_changed_something_leads_to_the_layers_it_left(self):
        self.open("standardised")
        self.click("#passes a")
        self.assertEqual(self.text("#stages button[aria-pressed=true]"), "after rematerialize")

    def test_links_lead_to_layers(self):
        self.open("standardised")
        self.click("#stages button")
        layer = self.text("#hints li a")
        self.click("#hints li a")
        self.assertEqual(self.text("#stages button[aria-pressed=true]"), "as run")
        self.assertEqual(self.texts("tr.found td:first-child"), [layer])

    def test_words_filter_the_layers(self):
        self.open("thousand")
        self.filter("L7")
        self.assertEqual(self.browser.evaluate(
            "[...document.querySelectorAll('#layer-table tbody tr')].filter(r => !r.hidden).map(r => r.id)"), ["layer-7"])
        self.filter("combine")
        shown = int(self.text("#shown").split(" ")[0])
        self.assertGreater(shown, 0)
        self.assertLess(shown, 100)
        self.filter("no such layer")
        self.assertTrue(self.text("#shown").startswith("0 of "))

    def test_the_picture_of_a_thousand_layers_waits_to_be_asked_for(self):
        self.open("thousand")
        self.assertGreater(self.count("#layer-table tbody tr"), 1000)
        self.assertEqual(self.count("#picture .node"), 0)
        self.click("#picture button")
        self.assertGreater(self.count("#picture .node"), 1000)
        self.assertEqual(self.browser.complaints(), [])

    def test_names_are_text_not_markup(self):
        self.open("names")
        self.assertEqual(self.text("h1"), "<i>Names</i> are text")
        self.assertEqual(self.count("#layer-table b, h1 i"), 0)
        self.assertIn('<b>bold</b> & "quoted"', self.text("#layer-table"))


if __name__ == "__main__":
    unittest.main()
