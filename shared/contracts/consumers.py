"""The template of a job consumer: one durable for each lane of an account, shared by all senders.

It is data; the sender instantiates it (subjects.job_consumer, subjects.jobs_of) when a lane first has work. Fixed
consumers stand in deploy/streams.py.
"""

from typing import Final

ACK_WAIT_S: Final = 15

JOB_CONSUMER: Final[dict[str, str | int]] = {
    "deliver_policy": "all",
    "ack_policy": "explicit",
    "ack_wait": ACK_WAIT_S * 1_000_000_000,
    "max_ack_pending": 1000,
    "max_deliver": -1,
}
