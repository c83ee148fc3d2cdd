"""The generators of the pages and files that are made from code. One command makes all of them."""
