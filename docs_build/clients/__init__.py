"""The generated files of the Python client: its types and its synchronous half."""
