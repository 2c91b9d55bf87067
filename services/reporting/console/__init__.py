"""The console: pages for people on the HTTP server of reporting, one file per page.

They ask the HTTP APIs in the name of whoever signed in, and know nothing else: what the APIs refuse, the console
refuses.
"""
