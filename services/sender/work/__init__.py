"""The work on a chunk: whom to claim next, the half-windows on their way, and what holds one back."""
