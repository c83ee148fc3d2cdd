"""The processes, the command line and the HTTP interface of the Collate handoff gateway."""
