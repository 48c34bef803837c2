"""The states of a request and what may happen in each.

```
 unverified ──confirm──▶ collecting ──answered──▶ completing ──finish──▶ done
     │  │                 │  ▲   │                    │
     │  └─expire─▶ expired│  │   └──review──▶ review ─┘ approve
     │               hold ▼  │ release          │
     └──refuse──▶ refused ◀─ held ◀─hold────────┘      (refuse: from every open state)
```

`reopen` takes a request from `completing` back to `collecting`, when what was erased has come back in between.
`review` is for what a person must decide: a rectification (the answers are in, the change is not made), or whether
all that was found is the asking person's (nothing more is asked; `identify` takes it back to `collecting`).
Every change of state is one conditional write of the request; an event that comes twice finds the state it made.
"""

from enum import StrEnum


class State(StrEnum):
    """Where a request stands."""

    UNVERIFIED = "unverified"
    COLLECTING = "collecting"
    HELD = "held"
    REVIEW = "review"
    COMPLETING = "completing"
    DONE = "done"
    REFUSED = "refused"
    EXPIRED = "expired"


class Event(StrEnum):
    """What happens to a request."""

    CONFIRM = "confirm"
    HOLD = "hold"
    RELEASE = "release"
    ANSWERED = "answered"
    REVIEW = "review"
    APPROVE = "approve"
    REOPEN = "reopen"
    IDENTIFY = "identify"
    FINISH = "finish"
    REFUSE = "refuse"
    EXPIRE = "expire"


OPEN = frozenset({State.UNVERIFIED, State.COLLECTING, State.HELD, State.REVIEW, State.COMPLETING})
CLOSED = frozenset(State) - OPEN

TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.UNVERIFIED, Event.CONFIRM): State.COLLECTING,
    (State.UNVERIFIED, Event.EXPIRE): State.EXPIRED,
    (State.COLLECTING, Event.HOLD): State.HELD,
    (State.REVIEW, Event.HOLD): State.HELD,
    (State.HELD, Event.RELEASE): State.COLLECTING,
    (State.COLLECTING, Event.ANSWERED): State.COMPLETING,
    (State.COLLECTING, Event.REVIEW): State.REVIEW,
    (State.REVIEW, Event.APPROVE): State.COMPLETING,
    (State.REVIEW, Event.IDENTIFY): State.COLLECTING,
    (State.COMPLETING, Event.REOPEN): State.COLLECTING,
    (State.COMPLETING, Event.FINISH): State.DONE,
    (State.UNVERIFIED, Event.REFUSE): State.REFUSED,
    (State.COLLECTING, Event.REFUSE): State.REFUSED,
    (State.HELD, Event.REFUSE): State.REFUSED,
    (State.REVIEW, Event.REFUSE): State.REFUSED,
    (State.COMPLETING, Event.REFUSE): State.REFUSED,
}


class NotAllowed(ValueError):
    """The event cannot happen in this state; the text names both."""


def after(state: State, event: Event) -> State:
    """The state that follows; raises `NotAllowed` where there is none."""
    if (following := TRANSITIONS.get((State(state), Event(event)))) is None:
        raise NotAllowed(f"a request that is `{state}` cannot `{event}`")
    return following
