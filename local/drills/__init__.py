"""Drills: game days on a private local installation, told step by step and judged at the end."""
