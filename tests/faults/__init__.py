"""Promises for long runs, each tested with real faults; those that take minutes are marked ``faults``."""
