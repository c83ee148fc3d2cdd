"""HTTP for the ingress: limits, requests, responses and problems."""
