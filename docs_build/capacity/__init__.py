"""The arithmetic of docs/capacity.md: from a load to processes, memory and disk."""
