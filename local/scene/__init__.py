"""The scene of chaos runs, drills and soaks: a private installation under load and faults, and its judgement.

    Setup ─▶ open_scene ─▶ callers, people, faults ─▶ end_load ─▶ verdict

Nothing here runs in production.
"""
