"""The problem of a cell: weights, inputs, and the place of a user's workload."""
