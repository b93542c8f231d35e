"""Output of the command line: errors, colours, summaries, streams."""
