"""Child processes of a local run: start, supervision, logs and clean-up."""
