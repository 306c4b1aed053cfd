"""The console of the commands."""

from __future__ import annotations

import signal

from rich.console import Console


class Output(Console):
    """Where nobody reads any more (`| head`), the call ends as by the signal SIGPIPE."""

    def on_broken_pipe(self) -> None:
        try:
            super().on_broken_pipe()  # which would end the call as if a run had failed
        except SystemExit:
            raise KeyboardInterrupt(signal.SIGPIPE) from None
