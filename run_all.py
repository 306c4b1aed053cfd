"""Search with several methods and seeds, evaluate the architectures, report: the command `run` of `python -m harness`.

python run_all.py --methods gaea,darts --seeds 4
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from harness import cli


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 all well, 1 a run failed, 2 bad input or results that cannot be written, 128 + n signal n."""
    return cli.run("run", sys.argv[1:] if arguments is None else arguments, "run_all.py")


if __name__ == "__main__":
    sys.exit(main())
