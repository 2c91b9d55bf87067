"""Campaigns and mailings: what is decided about them."""
