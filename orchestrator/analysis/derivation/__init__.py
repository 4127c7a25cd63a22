"""What the analysis needs of each record of a run, derived once."""
