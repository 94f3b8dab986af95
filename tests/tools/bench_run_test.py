"""Runs the tests of bench/run.py, which live beside it, with all others."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from run_test import *  # noqa: F403  (the test cases, for unittest to find)

if __name__ == "__main__":
    unittest.main()
