"""Divergence and rollback, overfitting."""
