"""The event stream of a page, which signals when to fetch its part again."""

from console.pages.events import stream

ROUTES = stream.ROUTES
