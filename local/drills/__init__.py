"""Drills: game days on a private local installation, told step by step and judged at the end.

drill       what every drill states about itself, and its result
scene       the private installation that a drill breaks, with callers that never stop
operator    what the operator sees and types; with --hands-on the operator mends it and is timed
run         `gateway drill`: runs one, prints the verdict, returns the exit code
"""
