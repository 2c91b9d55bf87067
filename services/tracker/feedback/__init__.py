"""Mail that comes back: bounces, delays, complaints, automatic answers, replies.

`reading.read(raw)` takes the bytes of one mail and returns a `report.Report`: what it is, whom it is about, why, whose
fault, for good or not, and the clues by which `clues.verify` finds the mail of ours that it answers. Everything here is
pure and bounded: no input makes it raise, and none makes it slow. What mail systems say is data, in rules.toml.
"""
