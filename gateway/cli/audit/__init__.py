"""The verb `gateway audit export`."""
