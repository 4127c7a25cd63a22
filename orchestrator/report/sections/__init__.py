"""The sections of a group's report, one file each, with tables and sentences."""
