"""Two runs, or two environments of one run, against each other; gates; and the history of cells over many runs."""
