"""What the API and the console do alike with a request: its id, its log line and metrics, its places, its failure."""
