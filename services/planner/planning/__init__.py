"""From an audience to planned chunks, by level; and when that will be done."""
