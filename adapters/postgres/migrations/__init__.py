"""The schema's history; `gateway migrate` applies it."""
