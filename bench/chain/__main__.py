"""`python -m bench.chain`."""

from bench.chain.run import main

main()
