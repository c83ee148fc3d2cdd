"""The pages, one module each. A module's `ROUTES` are collected by `console.app`."""
