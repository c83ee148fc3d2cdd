"""The lists of the read model with a million authorizations and three million commands."""
