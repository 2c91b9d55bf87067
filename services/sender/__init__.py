"""Sender: jobs in, mails out over SMTP, what became of each mail into evt.chunk.

`jobs` pulls what there is to do and attends to it, `work` does it window by window on a chunk, whose state and rules
stand in `chunks`. `gates` says whether anything may go out, `limits` how fast and over how many connections, `mails`
makes the bytes, `smtp` carries them, `journal` keeps evidence of it, `replies` says what the relay meant, `shaping`
what follows for all further mail. Here: wiring (`app`), what is asked (`handlers`), what lanes share (`accounts`).
"""
