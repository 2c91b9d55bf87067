"""Planner: decides on campaigns and mailings, freezes audiences, plans chunks, owes every chunk its progress.

Who can be written to stands in `contacts`, how they come in in `intake`, whether they want it in `consent`; `segments`
and `audience` find whom a mailing is for, `content` what it says, `mailings` decides, `planning` brings it under way.
`accounts` is what mail is sent from, `principals` who may do what, `notices` tells the owners, `statuses` says what
outcomes make of customers. Here: wiring (`app`), the requests (`handlers`, `queries`, with what they share in `parts`),
and what the planner knows of the log (`facts`, `board`, `census`) and has to guard (`guard`, `memories`,
`idempotency`, `audit`).
"""
