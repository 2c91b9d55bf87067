"""What a reply of a relay means, and what of its text may be kept."""
