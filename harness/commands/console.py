"""The console of the commands."""

from __future__ import annotations

import signal

from rich.console import Console

NOTEBOOK_WIDTH = 110
"""Characters in a line."""


class Output(Console):
    """Plain text in a notebook too, on `sys.stdout` like other output. When its reader is gone (`| head`), the call
    ends as by the signal SIGPIPE."""

    def __init__(self, *, soft_wrap: bool) -> None:
        if Console().is_jupyter:  # whose output says of itself that it is a terminal
            super().__init__(soft_wrap=soft_wrap, force_jupyter=False, force_terminal=False, width=NOTEBOOK_WIDTH)
        else:
            super().__init__(soft_wrap=soft_wrap)

    def on_broken_pipe(self) -> None:
        try:
            super().on_broken_pipe()  # which would end the call as if a run had failed
        except SystemExit:
            raise KeyboardInterrupt(signal.SIGPIPE) from None
