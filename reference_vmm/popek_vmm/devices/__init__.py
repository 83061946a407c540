"""Devices, by the kinds that `region ... : io KIND` names. Each is one module behind the interface of `device`."""
