"""The terminal application of `nextchar generate --interactive`."""
