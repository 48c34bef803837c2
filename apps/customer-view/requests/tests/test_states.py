"""The state machine: every way through it, and what is not allowed."""

import unittest

from requests.domain.states import CLOSED, OPEN, TRANSITIONS, Event, NotAllowed, State, after


class States(unittest.TestCase):
    def test_open_and_closed_are_all_states(self):
        self.assertEqual(OPEN | CLOSED, set(State))
        self.assertFalse(OPEN & CLOSED)

    def test_what_is_closed_stays_closed(self):
        for state in CLOSED:
            for event in Event:
                with self.assertRaises(NotAllowed):
                    after(state, event)

    def test_every_open_state_can_be_reached_and_left(self):
        reached = {State.UNVERIFIED}
        while more := {to for (state, _), to in TRANSITIONS.items() if state in reached} - reached:
            reached |= more
        self.assertEqual(reached, set(State))
        for state in OPEN:
            ends, seen = {state}, set()
            while ends - seen:
                seen |= ends
                ends = {to for (at, _), to in TRANSITIONS.items() if at in seen}
            self.assertTrue(seen & CLOSED, state)

    def test_nothing_is_collected_before_the_person_is_known(self):
        left = {event: to for (state, event), to in TRANSITIONS.items() if state == State.UNVERIFIED}
        self.assertEqual(
            left, {Event.CONFIRM: State.COLLECTING, Event.EXPIRE: State.EXPIRED, Event.REFUSE: State.REFUSED}
        )

    def test_the_text_names_state_and_event(self):
        with self.assertRaisesRegex(NotAllowed, "`done` cannot `hold`"):
            after(State.DONE, Event.HOLD)


if __name__ == "__main__":
    unittest.main()
