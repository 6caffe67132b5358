"""Which fields are counted, and how what was asked for is read."""

from typing import Final

from lytrace_collector.errors import ApiError

PLAIN: Final = ("status", "model", "provider", "service", "session", "user", "scheduler", "error.type", "name")
"""Fields of which a row has one value at most (a trace has the schedulers of all its images)."""

SCORE: Final = "score"
TAG: Final = "tag"
TAG_PREFIX: Final = "tag."
DEFAULT: Final = ("status", "model", "provider", "service", "session", "user", "scheduler", "error.type", SCORE, TAG)
"""What is counted where nothing is asked for; and the values of each of the commonest tags."""

MOST_FIELDS: Final = 30
_ALIASES: Final = {
    "state": "status",
    "session_id": "session",
    "session.id": "session",
    "user_id": "user",
    "user.id": "user",
    "service.name": "service",
}


def read_fields(text: str | None) -> tuple[str, ...]:
    """Names between commas; none where the usual ones are wanted.

    Raises:
        ApiError: 400 where a field cannot be counted.
    """
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    fields = tuple(dict.fromkeys(_ALIASES.get(name, name) for name in names))
    if len(fields) > MOST_FIELDS:
        raise ApiError(400, "bad_field", f"at most {MOST_FIELDS} fields are counted at once")
    for field in fields:
        if field not in {*PLAIN, SCORE, TAG} and not (field.startswith(TAG_PREFIX) and field != TAG_PREFIX):
            known = ", ".join((*PLAIN, SCORE, TAG, "tag.NAME"))
            raise ApiError(400, "bad_field", f"{field[:100]!r} cannot be counted: choose of {known}", {"field": field[:100]})
    return fields
