"""Requests of the user to end the running job: by a signal to this process, or by a key."""

import selectors
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from orchestrator.execution.keyboard import Keyboard
from orchestrator.processes.signals import Interrupts

StopKind = Literal["skipped", "interrupted"]


@dataclass(frozen=True, slots=True)
class StopRequests:
    """The sources of stop requests: signals to this process and keys of its terminal, if present."""

    interrupts: Interrupts | None = None
    keys: Keyboard | None = None

    def register_sources(self, selector: selectors.BaseSelector) -> None:
        """Register the sources with a selector."""
        if self.interrupts is not None:
            selector.register(self.interrupts, selectors.EVENT_READ)
        if self.keys is not None:
            self.keys.begin_job()
            if self.keys.listening:
                selector.register(self.keys, selectors.EVENT_READ)

    def read_keys(self, ready: Collection[object], selector: selectors.BaseSelector) -> None:
        """Read the pressed keys, if there are any."""
        if self.keys is not None and self.keys in ready:
            # Kept before the read, which forgets the descriptor of a terminal that is gone.
            descriptor = self.keys.fileno()
            self.keys.read()
            # A closed terminal stays readable, and the selector would never wait again.
            if not self.keys.listening:
                selector.unregister(descriptor)

    def find_request(self) -> tuple[StopKind, str] | None:
        """Return why the job must end now; None if there is no request."""
        if self.interrupts is not None and self.interrupts.received is not None:
            return "interrupted", f"the sweep was stopped by {self.interrupts.received.name}"
        if self.keys is not None and self.keys.stopping:
            return "interrupted", "the user stopped the sweep"
        if self.keys is not None and self.keys.skipping:
            return "skipped", "the user skipped this cell"
        return None
