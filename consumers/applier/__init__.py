"""Command -> decision -> intent -> attempts -> outcome (docs/decisions/0002).

job        a record, read                 decide, situation   the table of what to do
writing    turn by turn to the end        resolve             what a re-read says about a lost answer
sending    one request and its answer     run, outcome        how a turn ends
"""
