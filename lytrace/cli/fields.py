"""``lytrace fields``: what a query can ask for."""

from rich.text import Text

from lytrace.cli._common import DEFAULT_URL, JsonOption, TokenOption, UrlOption, client_or_exit, output, print_json
from lytrace.cli._table import Column, print_table

_COLUMNS = (
    Column("field", at_most=24),
    Column("type", at_most=12, rank=2),
    Column("example", at_most=30),
    Column("what it is", rank=0, at_most=60, wraps=True),
    Column("also", at_most=24, rank=3),
)


def fields(
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the fields of the query language, each with an example."""
    with client_or_exit(url, token) as client:
        known = client.fields()
    if as_json:
        print_json(known)
        return
    rows = [
        (Text(field.name, style="cyan"), field.type, field.example, field.about.replace("`", ""), ", ".join(field.aliases))
        for field in known
    ]
    print_table(output(), _COLUMNS, rows)
