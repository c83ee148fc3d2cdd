"""`make soak`: hours of load and faults on a private installation, judged like a chaos run, on one HTML page."""
