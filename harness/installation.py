"""Where the code lies. In a checkout `methods/` and `results/` are beside `harness/`; the wheel installs them as
`harness/methods/` and `harness/published/`, as top-level packages with such names would collide with others."""

from __future__ import annotations

from pathlib import Path

DISTRIBUTION = "gaea-nas-bench"
PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent
"""The checkout, or the folder where the distribution is installed."""
IN_CHECKOUT = (ROOT / "pyproject.toml").is_file() and (ROOT / "methods").is_dir()
METHODS = ROOT / "methods" if IN_CHECKOUT else PACKAGE / "methods"
"""The project's own methods."""
PUBLISHED = (ROOT / "results" if IN_CHECKOUT else PACKAGE / "published") / "published.csv"
"""The published values."""
