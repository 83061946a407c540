"""Benchmarks: each prints one table, with a peer in the same run where there is one."""
