"""The nearest mark to a time of the host."""

from lytrace_integrations._device import Moment
from lytrace_integrations.diffusers._edges import Edges
from lytrace_integrations.diffusers._steps import Forward, Step

MARKED = [Moment(10, device_ns=1000), Moment(30, device_ns=3000), Moment(20)]


def test_the_nearest_mark_of_those_that_are_known():
    edges = Edges(MARKED)
    assert edges.after(10).device_ns == 1000
    assert edges.after(11).device_ns == 3000
    assert edges.before(29).device_ns == 1000
    assert edges.before(30).device_ns == 3000


def test_past_the_marks_the_hosts_time_stands():
    edges = Edges(MARKED)
    assert (edges.after(31).host_ns, edges.after(31).device_ns) == (31, None)
    assert (edges.before(9).host_ns, edges.before(9).device_ns) == (9, None)
    assert Edges([]).after(5).host_ns == 5


def test_a_step_by_the_scheduler_alone_begins_where_the_one_before_ended():
    alone, cut_short = Step(Moment(25), MARKED[1]), Step(MARKED[0], Moment(15), [Forward("unet", "UNet", 10, 15)])
    Edges(MARKED).settle([alone, cut_short])
    assert alone.start.device_ns == 1000
    assert cut_short.end.device_ns == 3000
