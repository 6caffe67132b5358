"""Signing in."""

from pydantic import Field, SecretStr

from lytrace.models._base import ApiModel


class Login(ApiModel):
    """Body of ``POST /api/v1/login``: a full token."""

    token: SecretStr = Field(max_length=1000)
