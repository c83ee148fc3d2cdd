"""The published documents: JSON Schemas, OpenAPI and AsyncAPI, and their compatibility checks."""
