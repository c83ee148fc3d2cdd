"""Tokens of OIDC issuers: verification of a token, and the issuers' public keys."""
