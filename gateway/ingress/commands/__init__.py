"""Commands over HTTP: from a request to a record on the commands topic, and to its outcome."""
