"""Authentication, permissions and rates of callers."""
