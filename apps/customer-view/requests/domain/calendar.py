"""Working days: which days are neither Saturday, Sunday nor a public holiday.

Regulation (EEC, Euratom) 1182/71, Art. 2: working days are all days other than public holidays, Sundays and
Saturdays. Public holidays are those of the state where the controller acts; `COUNTRIES` has the nationwide ones.
"""

from datetime import date, timedelta

SATURDAY = 5


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus, Jones and Butcher)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    lunar = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 19 * lunar) // 433
    month = (h + lunar - 7 * m + 90) // 25
    return date(year, month, (h + lunar - 7 * m + 33 * month + 19) % 32)


def _germany(year: int) -> frozenset[date]:
    sunday = easter(year)
    fixed = [(1, 1), (5, 1), (10, 3), (12, 25), (12, 26)]
    moved = [-2, 1, 39, 50]  # Good Friday, Easter Monday, Ascension, Whit Monday
    return frozenset([date(year, *day) for day in fixed] + [sunday + timedelta(days) for days in moved])


def _france(year: int) -> frozenset[date]:
    sunday = easter(year)
    fixed = [(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)]
    return frozenset([date(year, *day) for day in fixed] + [sunday + timedelta(days) for days in (1, 39, 50)])


def _ireland(year: int) -> frozenset[date]:
    mondays = [_monday(year, 2, 1), _monday(year, 5, 1), _monday(year, 6, 1), _monday(year, 8, 1)]
    if date(year, 2, 1).weekday() == 4:  # Saint Brigid's Day itself, where it is a Friday
        mondays[0] = date(year, 2, 1)
    fixed = [date(year, 1, 1), date(year, 3, 17), date(year, 12, 25), date(year, 12, 26)]
    last_of_october = _monday(year, 10, 25)
    return frozenset([*mondays, *fixed, easter(year) + timedelta(1), last_of_october])


def _monday(year: int, month: int, first: int) -> date:
    """The first Monday of the month that is not before the day `first`."""
    day = date(year, month, first)
    return day + timedelta(-day.weekday() % 7)


COUNTRIES = {"DE": _germany, "FR": _france, "IE": _ireland}


class Calendar:
    """The public holidays of one country (`None`: none but weekends), and days of the controller's own."""

    def __init__(self, country: str | None = None, extra: frozenset[date] = frozenset()):
        if country is not None and country not in COUNTRIES:
            known = ", ".join(sorted(COUNTRIES))
            raise ValueError(f"there is no calendar of `{country}`; known are {known}")
        self._of_year = COUNTRIES[country] if country else lambda _year: frozenset()
        self._extra = extra

    def is_working(self, day: date) -> bool:
        """Whether the day is neither Saturday, Sunday nor a public holiday."""
        return day.weekday() < SATURDAY and day not in self._extra and day not in self._of_year(day.year)

    def working_day_from(self, day: date) -> date:
        """The day itself if it is a working day, else the next one."""
        while not self.is_working(day):
            day += timedelta(1)
        return day
