"""Lambda on this machine, for benchmarks: its runtime client, its share of a core, and TLS to what a function calls."""
