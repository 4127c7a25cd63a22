"""Files of this program and its users: atomic writes, locks, TOML with line numbers."""
