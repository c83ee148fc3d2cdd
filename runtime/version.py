"""The version of the gateway: one for the package, the image and the chart."""

VERSION = "0.1.0"
