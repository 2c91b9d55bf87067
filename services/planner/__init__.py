"""Planner: decides on campaigns and mailings, freezes audiences, plans chunks, owes every chunk its progress."""
