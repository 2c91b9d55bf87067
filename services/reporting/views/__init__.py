"""The views: each folds the events it handles into tables of its own, for the projector to commit."""
