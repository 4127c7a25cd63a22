"""The instrument measured on known truth."""
