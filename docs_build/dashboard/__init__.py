"""The dashboard of the chart, made from a list of panels: `make docs` writes helm/gateway/files/dashboard.json."""
