"""`gateway watch-all`: watch the authorizations of a file, in batches."""
