"""`gateway shadow`: feed mirrored commands to a shadow, and compare its decisions with what then happened."""
