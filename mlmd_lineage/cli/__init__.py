"""Command line ``mlmd-lineage``: one file per group of commands."""

from __future__ import annotations

import _thread
import io
import os
import sys
import time

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Run the command line, and exit with its code: 0, 1 (error), 2 (usage) or 130 (Ctrl-C)."""
    _have_streams()
    _lose_no_interrupt()
    try:
        from mlmd_lineage.cli.app import command_line

        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # Not every terminal can show every name that a store holds.
                stream.reconfigure(errors="backslashreplace")
        command_line()(prog_name="mlmd-lineage")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _have_streams() -> None:
    """Have the three standard streams, also where whoever starts the program closed some.

    Otherwise a file that is opened later would take the number of one, and what is written to
    that stream.
    """
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(descriptor)
    for name in closed:
        mode = "r" if name == "stdin" else "w"
        setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 - as long as the process
    if "stdout" in closed:
        sys.stderr.write("Error: The output cannot be written: standard output is closed.\n")
        sys.exit(1)


def _lose_no_interrupt() -> None:
    """Have Ctrl-C end the command also where Python drops it.

    An exception in a destructor or a callback of a weak reference is reported and dropped, and that
    of a signal may be raised there: each import has such a callback. It is sent again a bit later.
    """
    report, main_thread = sys.unraisablehook, _thread.get_ident()

    def raise_again(dropped: sys.UnraisableHookArgs) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            report(dropped)
            return
        try:
            _thread.start_new_thread(_interrupt_soon, (main_thread,))
        except RuntimeError:  # the process is about to end anyway
            report(dropped)

    sys.unraisablehook = raise_again


def _interrupt_soon(main_thread: int) -> None:
    import signal

    time.sleep(0.01)  # when what dropped it is done
    if hasattr(signal, "pthread_kill"):  # which also ends what the thread waits for
        signal.pthread_kill(main_thread, signal.SIGINT)
    else:
        _thread.interrupt_main()
