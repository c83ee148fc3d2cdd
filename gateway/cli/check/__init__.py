"""gateway check: would a process run here?"""
