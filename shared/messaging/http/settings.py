"""Settings of the HTTP API, from the environment (`POSTHASTE_...`); the services that have one add its port."""

from pydantic import Field

from shared.settings import Settings


class HttpSettings(Settings):
    """What the HTTP API needs beside the common settings.

    Attributes:
        http_host: Address to listen on.
        http_port: Port to listen on; 0 turns the API off.
        http_rate: Requests a second that a principal may make for long.
        http_burst: Requests it may make at once on top of that.
        http_failures: Wrong tokens a minute that an address may show before it is turned away for a while.
        http_body_bytes: Largest body of a request, uploads excepted.
        http_upload_bytes: Largest file that may be uploaded.
        http_body_seconds: Longest wait for the next piece of a body.
        http_answer_seconds: Longest time to an answer; what takes longer goes on, and is asked for with the same key.
        http_listeners: Most live streams a process serves at a time.
        http_live_seconds: A live stream ends after so long; whoever listens comes again and is looked at anew.
        trusted_proxies: Networks, comma separated, whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    """

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=0, ge=0, le=65_535)
    http_rate: float = Field(default=50.0, gt=0)
    http_burst: int = Field(default=200, ge=1)
    http_failures: int = Field(default=20, ge=1)
    http_body_bytes: int = Field(default=5 * 1024 * 1024, ge=1024)
    http_upload_bytes: int = Field(default=1024 * 1024 * 1024, ge=1024)
    http_body_seconds: float = Field(default=20.0, gt=0)
    http_answer_seconds: float = Field(default=60.0, gt=0)
    http_listeners: int = Field(default=200, ge=1)
    http_live_seconds: float = Field(default=900.0, gt=0)
    trusted_proxies: str = ""
