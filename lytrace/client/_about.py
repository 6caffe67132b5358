"""What the collector is, how much it keeps, where it sends it on."""

from lytrace.client._request import Flow, get
from lytrace.client._route import Route
from lytrace.models import ForwardTarget, ForwardTargets, Info, StoreStats


class AboutRoutes:
    """``/api/v1/info``, ``/api/v1/stats``, ``/api/v1/forward``."""

    @Route
    def info(self) -> Flow[Info]:
        """Which collector this is."""
        return get(Info, "/api/v1/info")

    @Route
    def stats(self) -> Flow[StoreStats]:
        """How much is stored, and what senders could not record."""
        return get(StoreStats, "/api/v1/stats")

    @Route
    def forward(self) -> Flow[list[ForwardTarget]]:
        """The backends that the collector forwards to, and how far each of them is."""
        answer = yield from get(ForwardTargets, "/api/v1/forward")
        return answer.targets
