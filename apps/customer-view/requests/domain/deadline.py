"""When a request must be answered: GDPR Art. 12(3), counted by Regulation 1182/71.

- One month from receipt. The day of receipt does not count; the period ends with the last hour of the day of the
  next month with the same date, or of that month's last day if it has no such date (Art. 3(2)(c)).
- If that day is a Saturday, a Sunday or a public holiday, the period ends with the last hour of the following
  working day (Art. 3(4)).
- Two further months may be added, counted from receipt too, if the person is told so, with the reasons, within the
  first month. A late notice extends nothing.
- Days are those of the controller's time zone. The end is kept as the instant at which the last day is over, so
  daylight saving neither adds nor takes an hour.
"""

import calendar as months
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from .calendar import Calendar

MONTHS = 1
EXTENDED_MONTHS = 3
REMINDER_DAYS = (7, 2)
REMINDER_HOUR = time(9)


class ExtensionRefused(ValueError):
    """The period cannot be extended; the text says why."""


def add_months(day: date, count: int) -> date:
    """The same date `count` months later, or the last day of that month if it has no such date."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    last = months.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


@dataclass(frozen=True)
class Rules:
    """Where the controller is: its time zone and its working days."""

    zone: ZoneInfo
    calendar: Calendar

    def due_day(self, received: datetime, extended: bool = False) -> date:
        """The last day on which the answer is in time."""
        day = received.astimezone(self.zone).date()
        return self.calendar.working_day_from(add_months(day, EXTENDED_MONTHS if extended else MONTHS))

    def end_of(self, day: date) -> datetime:
        """The instant at which `day` is over in the controller's time zone, in UTC. Not itself in time."""
        midnight = datetime.combine(day + timedelta(1), time(), self.zone)
        return midnight.astimezone(UTC)

    def reminders(self, due: date) -> list[tuple[int, datetime]]:
        """Days before the due day and when to remind: in the morning, where the controller is."""
        at = lambda days: datetime.combine(due - timedelta(days), REMINDER_HOUR, self.zone).astimezone(UTC)
        return [(days, at(days)) for days in REMINDER_DAYS]

    def days_left(self, due: date, now: datetime) -> int:
        """Whole days until the due day: 0 on the day itself, negative when late."""
        return (due - now.astimezone(self.zone).date()).days

    def extend(self, received: datetime, now: datetime, reason: str) -> date:
        """The due day with two further months, if the notice of it is in time.

        Raises `ExtensionRefused`: the law wants the reason, and the notice within the first month.
        """
        if not reason.strip():
            raise ExtensionRefused("an extension needs a reason that the person can be told (Art. 12(3))")
        first = self.due_day(received)
        if now >= self.end_of(first):
            raise ExtensionRefused(f"the notice of an extension was due on {first.isoformat()} (Art. 12(3))")
        return self.due_day(received, extended=True)
