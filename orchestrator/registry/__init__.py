"""Which frameworks, modes and workloads exist: built in, from plug-ins, and in a user's folder."""
