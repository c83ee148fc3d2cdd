"""The deliverer: posts the events of `events` to webhook receivers, with one engine for each subscription.

See docs/decisions/0020-deliverer.md. A subscription's delivery of an event is one invocation of its engine.
"""
