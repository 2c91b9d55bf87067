"""The console in Chromium, on a real installation with its catcher."""
