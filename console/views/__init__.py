"""What the templates show: pure functions from the API's JSON and the time to frozen dataclasses."""
