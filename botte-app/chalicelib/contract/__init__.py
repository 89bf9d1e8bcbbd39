"""The contract: what a message and a task are. Pure; the clients ship it as well."""
