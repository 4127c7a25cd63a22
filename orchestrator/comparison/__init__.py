"""Two runs, or two environments of one run, against each other; and gates."""
