"""A signal ends all processes of a run at the same step."""

from ctxlab.runtime.ranks import Ranks
from ctxlab.training.stop import Stop


def test_several_processes_obey_what_all_of_them_know():
    alone, one_of_two = Stop(Ranks()), Stop(Ranks(0, 2))
    alone.signal_number = one_of_two.signal_number = 15
    assert (alone.due, one_of_two.due) == (15, None)
    one_of_two.agreed = 10
    assert one_of_two.due == 10
