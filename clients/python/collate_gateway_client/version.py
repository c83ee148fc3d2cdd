"""The version of this client: that of the gateway whose documents it is made from."""

VERSION = "0.1.0"
