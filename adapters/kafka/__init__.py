"""Kafka for every process: clients, credentials, topics and permissions. The engine creates its own clients.

clients           aiokafka clients from settings        credentials         passwords, tokens, TLS
topic_reader      a consumer of whole topics            topic_follower      follow one topic, reopen on failure
topics            wanted and found topics               wait_for_topics     wait for Kafka and its topics
acls              access that each process needs        permission_probe    access that the broker grants
cluster           topics and permissions of a broker    aiokafka_internals  private members of aiokafka
topic_metadata    ids, partitions and permissions of topics
exposure          warnings: no encryption, or more permissions than needed
"""
