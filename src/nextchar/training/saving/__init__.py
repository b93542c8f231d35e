"""Files of a run: the run directory, checkpoints, resuming, errors of writing."""
