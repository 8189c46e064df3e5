"""Everything that leaves a file in results/: the experiments by name, their runs, records and weights."""
