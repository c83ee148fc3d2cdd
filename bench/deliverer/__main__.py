"""`python -m bench.deliverer`."""

from bench.deliverer.run import run

run()
