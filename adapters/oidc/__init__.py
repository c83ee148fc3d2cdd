"""Tokens of OIDC issuers: the check of one token, and the issuers' public keys."""
