"""`gateway soak`: hours of load and faults on a private installation, judged like a chaos run, on one HTML page.

growth      which series grow after the warm-up; pure
records     the lines that a session writes, and the sessions of a directory
sampling    memory, handles, tables and topics of a running installation
faults      a few faults, far apart, with their times
page        the HTML page; pure
run         a session: load, samples, faults, verdict, page
"""
