"""A real Kubernetes on this machine, without Docker: `make cluster`, and the cases of tests/cluster.

One node, in namespaces of its own: network, mounts and processes. So its bridge, iptables rules, mounts and processes
end with its first process, and nothing outside can see them. Requires root and programs of Debian.
"""
