"""Jobs and sweeps in progress: launch, supervise, classify, record."""
