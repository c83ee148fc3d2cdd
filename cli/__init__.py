"""The command line `gateway`: one module per verb, `check` and `dead_letters` as packages."""
