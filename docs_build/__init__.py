"""The generators of the pages and files that are made from code. `make docs` runs all of them."""
