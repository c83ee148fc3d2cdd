"""The workbench: review, open, session, report, and the payer's truth."""

from console.pages.workbench import actions, session, show

ROUTES = [*show.ROUTES, *actions.ROUTES, *session.ROUTES]
