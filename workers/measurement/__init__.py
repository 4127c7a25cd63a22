"""The measurement: stopwatch, phases, memory, noise, energy, peak rates."""
