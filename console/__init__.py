"""The web pages for people: a client of the gateway's HTTP API, with the permissions of the person who is signed in.

It has no Kafka login, no database and no key of Collate. Its only state is people's encrypted cookies.
"""
