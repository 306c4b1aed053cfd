"""Command-line parsers that answer a wrong call with one line. Needs no torch."""

from __future__ import annotations

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Errors are one line, without the usage, which has 15 of them."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {' '.join(message.split())}; --help describes all options\n")
