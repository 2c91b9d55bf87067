"""The tracker: opens, clicks and unsubscribes as they come in over public HTTP."""
