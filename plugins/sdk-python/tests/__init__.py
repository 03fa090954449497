"""Native tests of what makes a source in Python short."""
