"""Packages of npm: fetched by npm itself, and checked against a pinned digest before use."""
