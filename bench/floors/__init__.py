"""What the bare parts do: the least code that does a comparable job, without the promises."""
