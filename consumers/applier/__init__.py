"""Applies commands to Collate: command -> decision -> intent -> attempts -> outcome (docs/decisions/0002).

applier     the handler of records        task             a record, parsed
decide      the decision table            decision_input   the values that the table reads
workflow    one invocation, in order      delivery         sends an intent and interprets the response
resolve     the effect of a lost write         execution        the results of an invocation
calls       the calls to Collate          attempts         the calls so far, for events
outcome     how a command ends            dead_letters     commands that an operator must decide
"""
