"""Signing in: OIDC, a proxy's token, a caller's key, one-time links; and the sessions in encrypted cookies."""
