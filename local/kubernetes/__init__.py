"""A real Kubernetes on this machine, without Docker: `make cluster`, and the cases of tests/cluster.

Each node has namespaces of its own: network, mounts and processes. So its bridge, iptables rules, mounts and processes
end with its first process, and nothing outside can see them. Requires root and programs of Debian.

    control plane, servers, tests
    node1 10.244.0.1 ──┬── node2 10.244.1.1, its pods 10.244.1.2 to 10.244.1.254
                       └── node3 10.244.2.1, its pods 10.244.2.2 to 10.244.2.254

All bridges are one network, 10.244.0.0/16: a cable connects each further node with the bridge of the first one.
"""
