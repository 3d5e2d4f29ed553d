"""How X says no: every refusal of its API v2, word for word, as far as they are known."""

from __future__ import annotations

from channels.sandbox.exchange import Reply

_TYPES = "https://api.twitter.com/2/problems/"


class Refusal(Exception):
    """A call that X does not do; `reply` is what it answers."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"HTTP {reply.status}")
        self.reply = reply


def _problem(status: int, title: str, detail: str, kind: str | None = None, **more: object) -> Refusal:
    body = {"title": title, "type": _TYPES + kind if kind else "about:blank", "status": status, "detail": detail}
    return Refusal(Reply.json({**body, **more}, status=status))


def invalid(message: str, **parameters: object) -> Refusal:
    """400: a parameter, a body key or a value is not as it should be."""
    body = {
        "errors": [{"parameters": {name: [str(value)] for name, value in parameters.items()}, "message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": _TYPES + "invalid-request",
    }
    return Refusal(Reply.json(body, status=400))


def unauthorized() -> Refusal:
    """401: keys, token or signature are not right; X never says which."""
    return _problem(401, "Unauthorized", "Unauthorized")


def credits_used_up(account_id: str, *, form: int) -> Refusal:
    """402 in one of its two forms."""
    if form == 1:
        detail = f"Your enrolled account [{account_id}] does not have any credits to fulfill this request."
        body = {"title": "CreditsDepleted", "detail": detail, "type": "https://api.x.com/2/problems/credits"}
        return Refusal(Reply.json({**body, "account_id": int(account_id)}, status=402))
    return _problem(402, "Payment Required", "credits depleted", "credits-depleted")


def duplicate() -> Refusal:
    """403: the account said the same before, and that post still stands."""
    return _problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content.")


def not_permitted() -> Refusal:
    """403 without a reason: over-long text, among others."""
    return _problem(403, "Forbidden", "You are not permitted to perform this action.")


def read_only() -> Refusal:
    """403: the app may only read."""
    detail = "Your client app is not configured with the appropriate oauth1 app permissions for this endpoint."
    return _problem(403, "Forbidden", detail, "oauth1-permissions")


def not_enrolled(client_id: str) -> Refusal:
    """403: the app belongs to no project."""
    detail = (
        "When authenticating requests to the API v2 endpoints, you must use keys from an App attached to a Project."
    )
    more = {"client_id": client_id, "reason": "client-not-enrolled", "required_enrollment": "Appropriate Level"}
    return _problem(403, "Client Forbidden", detail, "client-forbidden", **more)


def app_only() -> Refusal:
    """403: an app's own token where an account has to speak."""
    detail = (
        "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint. "
        "Supported authentication types are [OAuth 1.0a User Context, OAuth 2.0 User Context]."
    )
    return _problem(403, "Unsupported Authentication", detail, "unsupported-authentication")


def suspended() -> Refusal:
    """403: the account is suspended."""
    return _problem(403, "Forbidden", "User has been suspended.", "user-suspended")


def not_found() -> Refusal:
    """404: no such address or resource."""
    return Refusal(Reply.json({"errors": [{"message": "Sorry, that page does not exist", "code": 34}]}, status=404))


def too_many_requests(*, form: int) -> Refusal:
    """429 in one of its two forms."""
    if form == 1:
        return _problem(429, "Too Many Requests", "Too Many Requests")
    return Refusal(Reply.json({"errors": [{"code": 88, "message": "Rate limit exceeded"}]}, status=429))


def usage_cap_exceeded(account_id: str) -> Refusal:
    """429 that is no rate limit: the month's reads are used up."""
    body = {
        "title": "UsageCapExceeded",
        "detail": "Usage cap exceeded: Monthly product cap",
        "type": "https://api.x.com/2/problems/usage-capped",
        "period": "Monthly",
        "scope": "Product",
        "account_id": account_id,
    }
    return Refusal(Reply.json(body, status=429))


def missing_resource(kind: str, resource_id: str, parameter: str) -> dict[str, object]:
    """One item of `errors[]` in a 200 answer: this post or account is not there."""
    return {
        "value": resource_id,
        "detail": f"Could not find {kind} with {parameter}: [{resource_id}].",
        "title": "Not Found Error",
        "resource_type": kind,
        "parameter": parameter,
        "resource_id": resource_id,
        "type": _TYPES + "resource-not-found",
    }


def refused_field(field: str, post_id: str, parameter: str) -> dict[str, object]:
    """One item of `errors[]` in a 200 answer: this field of this post is not for you, or not any more."""
    return {
        "resource_id": post_id,
        "parameter": parameter,
        "resource_type": "tweet",
        "section": "data",
        "title": "Field Authorization Error",
        "value": post_id,
        "detail": f"Sorry, you are not authorized to access '{field}' on the Tweet with {parameter} : [{post_id}].",
        "field": field,
        "type": _TYPES + "not-authorized-for-field",
    }
