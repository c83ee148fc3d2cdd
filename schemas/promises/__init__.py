"""The promises that topics alone can show, as rules on their records: for `gateway check promises` and the rig's judge.

Pure: records in, violations out. docs/decisions/0030-promises-check.md says what is read in which order.
"""
