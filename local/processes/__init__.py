"""Child processes of a local run: started, supervised, logged and cleaned up."""
