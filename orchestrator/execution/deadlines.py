"""Deadlines of a job and of its phases. Pure: callers pass the time, in nanoseconds."""

from collections.abc import Mapping

from schemas.event import Event, Phase, PhaseName


class Deadlines:
    """The deadline of a whole job and those of its phases, in seconds from the beginning of each."""

    def __init__(self, start_ns: int, total_s: float, phases: Mapping[PhaseName, float]) -> None:
        self._end_ns = start_ns + int(total_s * 1e9)
        self._total_s = total_s
        self._phases = phases
        self._phase: PhaseName | None = None
        self._phase_end_ns: int | None = None

    def note_event(self, event: Event, now_ns: int) -> None:
        """Note an event of the worker: a phase ends where the next begins."""
        if isinstance(event, Phase):
            allowed_s = self._phases.get(event.name)
            self._phase = event.name
            self._phase_end_ns = None if allowed_s is None else now_ns + int(allowed_s * 1e9)

    def time_left_s(self, now_ns: int) -> float:
        """Return the time until the next deadline, in seconds."""
        ends = [self._end_ns] if self._phase_end_ns is None else [self._end_ns, self._phase_end_ns]
        return max(0.0, (min(ends) - now_ns) / 1e9)

    def describe_missed(self, now_ns: int) -> str:
        """Name the deadline that has passed; return "" if none has."""
        if now_ns >= self._end_ns:
            return f"no result within {self._total_s:g} s"
        if self._phase is not None and self._phase_end_ns is not None and now_ns >= self._phase_end_ns:
            name, allowed_s = self._phase.replace("_", " "), self._phases[self._phase]
            return f"{name} took longer than the {allowed_s:g} s allowed for it"
        return ""
