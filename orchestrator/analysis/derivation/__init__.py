"""The processes of a run: everything that the analysis needs of each record, derived once."""
