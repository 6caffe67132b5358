"""What the collector is, how much it keeps."""

from lytrace.client._request import Flow, get
from lytrace.client._route import Route
from lytrace.models import Info, StoreStats


class AboutRoutes:
    """``/api/v1/info``, ``/api/v1/stats``."""

    @Route
    def info(self) -> Flow[Info]:
        """Which collector this is."""
        return get(Info, "/api/v1/info")

    @Route
    def stats(self) -> Flow[StoreStats]:
        """How much is stored, and what senders could not record."""
        return get(StoreStats, "/api/v1/stats")
