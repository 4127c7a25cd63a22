"""An instrument: a known time and known memory."""
