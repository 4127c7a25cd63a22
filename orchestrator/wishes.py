"""What the user of a sweep may want of the job that runs: that it ends now."""

import selectors
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from orchestrator.interrupts import Interrupts
from orchestrator.keys import Keys

Wish = Literal["skipped", "interrupted"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """Signals to this process, and keys of its terminal, as far as there are any."""

    interrupts: Interrupts | None = None
    keys: Keys | None = None

    def register(self, selector: selectors.BaseSelector) -> None:
        """Have the selector wake up for them."""
        if self.interrupts is not None:
            selector.register(self.interrupts, selectors.EVENT_READ)
        if self.keys is not None:
            self.keys.begin()
            if self.keys.listening:
                selector.register(self.keys, selectors.EVENT_READ)

    def read(self, ready: Collection[object], selector: selectors.BaseSelector) -> None:
        """Take in keys, if any was pressed."""
        if self.keys is not None and self.keys in ready:
            descriptor = self.keys.fileno()
            self.keys.read()
            if not self.keys.listening:
                selector.unregister(descriptor)

    def of_end(self) -> tuple[Wish, str] | None:
        """Why the job must end now; None if nobody wants that."""
        if self.interrupts is not None and self.interrupts.received is not None:
            return "interrupted", f"the sweep was stopped by {self.interrupts.received.name}"
        if self.keys is not None and self.keys.stopping:
            return "interrupted", "the sweep was stopped by its user"
        if self.keys is not None and self.keys.skipping:
            return "skipped", "its user skipped its cell"
        return None
