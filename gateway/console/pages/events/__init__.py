"""Events: the newest ones as a list, and the stream that signals when to fetch the list again."""

from gateway.console.pages.events import page, stream

ROUTES = [*page.ROUTES, *stream.ROUTES]
