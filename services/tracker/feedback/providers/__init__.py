"""What providers say by webhook, made into reports: one module each, `reports(document)` from JSON to `Report`s.

Everything here is pure and believes nothing about who sent the document: whoever calls it has checked the signature.
No document makes it raise; what it does not know, and opens and clicks, which we count ourselves, yield nothing. A
report's digest is made of what the provider says the event is, not of the bytes that carried it, so an event that comes
many times, in whatever batch, is one fact. How providers call reasons is data, in names.toml.
"""
