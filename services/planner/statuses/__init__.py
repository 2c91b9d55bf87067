"""Statuses of customers: what outcomes set, by the mapping of each campaign."""
