"""Types of fields that several messages share: ids, names, slugs, visible text and metadata."""
