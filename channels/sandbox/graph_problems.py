"""What the played Graph API says when it refuses, in its own words and numbers."""

from __future__ import annotations

from typing import Any

from channels.sandbox.exchange import Reply


class GraphProblem(Exception):
    """A call that is refused."""

    def __init__(self, code: int, message: str, *, subcode: int | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.subcode = subcode
        self.status = status

    def reply(self, trace_id: str) -> Reply:
        """The refusal as it is sent."""
        error: dict[str, Any] = {"message": str(self), "type": "OAuthException", "code": self.code}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        error["fbtrace_id"] = trace_id
        headers = {"www-authenticate": f'OAuth "Facebook Platform" "invalid_request" "{str(self)[:80]}"'}
        return Reply.json({"error": error}, status=self.status, headers=headers)


def bad_parameter(message: str, subcode: int | None = None) -> GraphProblem:
    """Code 100: something in the call is not as it must be."""
    return GraphProblem(100, f"(#100) {message}", subcode=subcode)


def missing(object_id: str) -> GraphProblem:
    """Code 100/33: no such object, or not for this caller."""
    return GraphProblem(
        100,
        f"Unsupported request. Object with ID '{object_id}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation.",
        subcode=33,
    )


def unknown_path(path: str) -> GraphProblem:
    """Code 2500: no such address, or no such version."""
    return GraphProblem(2500, f"Unknown path components: {path}")


def not_allowed(message: str, code: int = 200) -> GraphProblem:
    """Code 200 and its neighbours: a permission or a task is missing."""
    return GraphProblem(code, f"(#{code}) {message}", status=403)
