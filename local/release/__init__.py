"""What `make release` builds: packages, chart, bill of materials, checksums and provenance."""
