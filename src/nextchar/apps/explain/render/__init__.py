"""Rendering of an explanation as a page or JSON."""
