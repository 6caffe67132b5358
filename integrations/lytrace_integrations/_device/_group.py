"""Several devices of one pipeline: one boundary is a mark on each, and each keeps its own clock."""

from collections.abc import Mapping, Sequence

from lytrace_integrations._device._interface import Device, Mark, Moment


class DeviceGroup:
    """The devices that a pipeline's components lie on, the denoiser's first. It has the first one's name."""

    def __init__(self, members: Sequence[Device]) -> None:
        self.members = tuple(members)
        self._first, self._others = self.members[0], self.members[1:]
        self.label = self._first.label
        self.identity = self._first.identity
        self.copies_back = self._first.copies_back

    def begin(self) -> None:
        """Each begins."""
        for device in self.members:
            device.begin()

    def moment(self) -> Moment:
        """The first device's, with the others' beside it."""
        moment = self._first.moment()
        moment.elsewhere = tuple(device.moment() for device in self._others)
        return moment

    def capturing(self) -> bool:
        """Whether any of them is being captured on."""
        return any(device.capturing() for device in self.members)

    def times(self, marks: Sequence[Mark]) -> list[int] | None:
        """Of the first device's marks."""
        return self._first.times(marks)

    def recycle(self, marks: Sequence[Mark]) -> None:
        """The first device's marks."""
        self._first.recycle(marks)

    def reset_peak(self) -> None:
        """On each."""
        for device in self.members:
            device.reset_peak()

    def name(self) -> str | None:
        """The first one's."""
        return self._first.name()

    def versions(self) -> Mapping[str, str]:
        """The first one's."""
        return self._first.versions()


def members_of(device: Device) -> tuple[Device, ...]:
    """The devices in a group, or the one device."""
    return device.members if isinstance(device, DeviceGroup) else (device,)
