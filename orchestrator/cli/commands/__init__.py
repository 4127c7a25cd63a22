"""The commands, one file each. A command is imported when it is called."""
