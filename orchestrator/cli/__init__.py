"""The command line: arguments, commands, and the only exit."""

import os

# The same as ExitCode.INTERRUPTED, for which nothing may be imported yet.
INTERRUPTED = 130


def main() -> None:
    """Run a command, as `plumbline` and `python -m orchestrator` do. Ctrl-C ends it without a traceback."""
    # Until a command has something to clean up, a signal may end the process at once. An exception could not: raised in
    # the middle of an import, it may be swallowed there, or be printed as one that nothing can handle.
    try:
        import signal

        # A shell starts background commands with SIGINT ignored, and so it stays.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    # Imported last: that takes half a second.
    from orchestrator.cli.app import main as run_app

    run_app()
