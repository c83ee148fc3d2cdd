"""Every way back of docs/disaster.md: something is lost beside many authorizations and a load, and comes back."""
