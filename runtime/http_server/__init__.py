"""The HTTP server of every port: its connections, their clocks, the bounds of a request, the form of a problem."""
