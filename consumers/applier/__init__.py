"""Applies commands to Collate: command -> decision -> intent -> attempts -> outcome (docs/decisions/0002).

applier     the handler of records        task             a record, parsed
decision    the decision table, the values that it reads, the effect of a lost write
workflow    one invocation, in order      delivery         sends an intent and interprets the response
calls       the calls to Collate          execution        the results of an invocation
outcome     how a command ends            attempts         the calls so far, for events
dead_letters     commands that an operator must decide
"""
