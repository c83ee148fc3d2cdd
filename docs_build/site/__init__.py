"""The site of the documents: the repository's own pages, and a reference made from the published documents."""
