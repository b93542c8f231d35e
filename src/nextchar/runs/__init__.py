"""What is known of a run directory by those who only read it: names, settings, records."""
