"""Events: the newest ones as a list, and the stream that says when to fetch it again."""

from gateway.console.pages.events import page, stream

ROUTES = [*page.ROUTES, *stream.ROUTES]
