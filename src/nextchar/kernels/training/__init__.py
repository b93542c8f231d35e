"""Compiled training step: forward, backward, loss, dropout, optimizers."""
