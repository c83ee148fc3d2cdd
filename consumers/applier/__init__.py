"""Applies commands to Collate: command -> decision -> intent -> attempts -> outcome (docs/decisions/0002).

applier    the handler of records     task            a record, parsed
decide     the decision table         decision_input  the values that the table reads
workflow   one invocation, in order   delivery        sends an intent, interprets the response
resolve    whether a lost write had an effect          execution, outcome, dead_letters   how a command ends
"""
