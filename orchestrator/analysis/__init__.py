"""Pure analysis of records: no module here reads a file, a clock or the network; `Run` may be read from its store."""
