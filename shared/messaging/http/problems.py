"""Refusals as problem documents (RFC 9457): one table says which status each code has.

A code is stable and has one status; whoever reads the documents switches on `code`, never on the text. A test holds the
table to docs/commands.md.
"""

from collections.abc import Mapping
from http import HTTPStatus

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from shared.contracts.commands import Refusal

MEDIA_TYPE = "application/problem+json"

_CODES: dict[HTTPStatus, str] = {
    HTTPStatus.UNAUTHORIZED: "unauthenticated sign_in_failed",
    HTTPStatus.FORBIDDEN: "forbidden origin_foreign",
    HTTPStatus.NOT_FOUND: """
        not_found account_unknown import_unknown campaign_unknown mailing_unknown contact_unknown template_unknown
        tracking_url_unknown not_parked dry_run_unknown series_unknown mailbox_unknown user_unknown token_unknown
        key_unknown""",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_TIMEOUT: "body_too_slow",
    HTTPStatus.CONFLICT: """
        account_exists account_not_tested account_not_working mailbox_exists mailbox_not_working upload_missing
        upload_used campaign_exists campaign_closed campaign_ended campaign_deleted campaign_running
        mailing_approved no_ab_test winner_chosen sample_too_small series_stopped
        approval_not_asked approval_own approval_missing plan_changed
        campaign_fixed mailing_deleted mailing_exists mailing_started mailing_running mailing_not_running
        mailing_not_paused mailing_completed audience_missing audience_empty audience_fixed not_in_doubt
        decided_meanwhile cannot_redrive not_suppressed key_retired selector_used
        user_exists token_revoked token_lost no_password no_own_address
        log_restored cursor_lost recipient_removed""",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large body_too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "media_type_unsupported",
    HTTPStatus.UNPROCESSABLE_ENTITY: """
        header_not_allowed too_many_attachments attachments_too_large attachment_invalid content_id_unknown
        invalid key_invalid idempotency_key_reused host_invalid folder_invalid address_invalid
        password_in_clear sender_not_allowed
        unreadable encoding_unknown encoding_wrong delimiter_invalid nul_byte file_empty header_invalid header_duplicate
        column_missing email_missing too_many_columns
        domain_invalid rule_invalid rule_too_large list_in_itself
        line_too_long field_too_large quote_unclosed list_unknown dates_reversed start_in_past deadline_too_early
        zone_unknown hours_invalid weekdays_invalid calendar_unknown hours_empty outside_campaign
        indexes_invalid empty_subject empty_body bad_address bad_list_id
        language_unknown opt_in_link_missing address_blocked
        too_many_links control_character unclosed bad_name unknown_filter bad_expression bad_tag
        too_much_work does_not_render too_many_placeholders
        unknown_placeholder misplaced_placeholder permissions_missing expires_in_past list_not_in_campaign
        version_unknown sample_size_missing rhythm_empty winner_untracked tracking_url_invalid
        sources_empty activity_unknown too_many_by_hand notify_url_invalid""",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limited too_many_attempts",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal",
    HTTPStatus.SERVICE_UNAVAILABLE: """
        not_yet unavailable unknown_outcome no_sender no_tracker too_many_listeners""",
}
STATUS: dict[str, HTTPStatus] = {code: status for status, codes in _CODES.items() for code in codes.split()}
"""Refusal code -> HTTP status; what is not here is 422."""

_ALWAYS = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": 'Bearer realm="posthaste"'},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": "60"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"},
}


class Problem(BaseModel):
    """Why a request was refused. Nothing was changed, unless `code` is `unknown_outcome`.

    Attributes:
        type: The code as a URN.
        title: The phrase of the status.
        status: The status of the answer.
        detail: One or two sentences: what is wrong and what to do.
        code: Stable; docs/commands.md and docs/http.md list all.
        field: Path of the field at fault, e.g. `limits.per_hour`, or "".
        line: Line of the file or template at fault, 1-based; 0 where there is none.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str
    line: int


def status_of(code: str) -> HTTPStatus:
    """Return the status of a refusal."""
    return STATUS.get(code, HTTPStatus.UNPROCESSABLE_ENTITY)


def problem(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer that says no."""
    status = status_of(refusal.code)
    body = Problem(
        type=f"urn:posthaste:problem:{refusal.code}",
        title=status.phrase,
        status=status,
        detail=refusal.message,
        code=refusal.code,
        field=refusal.field,
        line=refusal.line,
    )
    given = {"Cache-Control": "no-store"} | dict(headers or {})
    for name, value in _ALWAYS.get(status, {}).items():
        given.setdefault(name, value)
    return Response(orjson.dumps(body.model_dump()), status, given, MEDIA_TYPE)
