"""`gateway top`: what the gateway does now, and what is wrong with its processes."""
