"""Help to practise an operator's work on a local gateway: a shell's environment, and parts that may end."""
