"""Writing a text together with a person."""
