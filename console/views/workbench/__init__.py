"""What the workbench shows. Pure."""
