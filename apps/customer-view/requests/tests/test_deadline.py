"""The deadline's rules: examples of the law, and properties over forty years of days and many zones."""

import random
import unittest
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from requests.domain.calendar import Calendar, easter
from requests.domain.deadline import ExtensionRefused, Rules, add_months

PLAIN = Calendar()
ZONES = [
    "Europe/Berlin",
    "Europe/Dublin",
    "Atlantic/Azores",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Asia/Shanghai",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Australia/Lord_Howe",
    "America/Havana",
]


def rules(zone="Europe/Berlin", calendar=PLAIN):
    return Rules(ZoneInfo(zone), calendar)


def noon(text, zone="Europe/Berlin"):
    return datetime.combine(date.fromisoformat(text), time(12), ZoneInfo(zone))


class Months(unittest.TestCase):
    def test_the_same_date_of_the_next_month(self):
        for day, expected in [
            ("2026-03-05", "2026-04-05"),
            ("2026-01-31", "2026-02-28"),
            ("2028-01-31", "2028-02-29"),
            ("2028-01-29", "2028-02-29"),
            ("2027-01-29", "2027-02-28"),
            ("2026-08-31", "2026-09-30"),
            ("2026-02-28", "2026-03-28"),
            ("2026-12-15", "2027-01-15"),
            ("2100-01-31", "2100-02-28"),
        ]:
            self.assertEqual(add_months(date.fromisoformat(day), 1).isoformat(), expected, day)

    def test_every_day_of_forty_years_stays_in_the_next_month_and_in_order(self):
        day, before = date(2020, 1, 1), date(2020, 1, 31)
        while day.year < 2060:
            due = add_months(day, 1)
            self.assertEqual((due.year * 12 + due.month) - (day.year * 12 + day.month), 1)
            self.assertTrue(due.day == day.day or (due + timedelta(1)).day == 1 and due.day < day.day)
            self.assertGreaterEqual(due, before)
            self.assertIn((due - day).days, range(28, 32))
            day, before = day + timedelta(1), due


class Days(unittest.TestCase):
    def test_a_last_day_that_nobody_works_moves_to_the_next_working_day(self):
        germany = rules(calendar=Calendar("DE"))
        for received, due in [
            ("2026-03-05", "2026-04-07"),  # 5 April is Easter Sunday, then comes Easter Monday
            ("2026-03-03", "2026-04-07"),  # Good Friday: over Easter
            ("2026-11-25", "2026-12-28"),  # Christmas on Friday, then a weekend
            ("2026-04-01", "2026-05-04"),  # 1 May is a Friday
            ("2026-04-21", "2026-05-21"),  # an ordinary Thursday
        ]:
            self.assertEqual(germany.due_day(noon(received)).isoformat(), due, received)
        self.assertEqual(rules().due_day(noon("2026-04-01")).isoformat(), "2026-05-01")

    def test_a_day_of_the_controllers_own_counts_as_a_holiday(self):
        own = rules(calendar=Calendar("DE", frozenset([date(2026, 5, 21)])))
        self.assertEqual(own.due_day(noon("2026-04-21")).isoformat(), "2026-05-22")

    def test_easter(self):
        known = ["2024-03-31", "2025-04-20", "2026-04-05", "2027-03-28", "2038-04-25", "2285-03-22"]
        self.assertEqual([easter(int(day[:4])).isoformat() for day in known], known)

    def test_an_unknown_country_is_refused_by_name(self):
        with self.assertRaisesRegex(ValueError, "`XX`; known are DE"):
            Calendar("XX")

    def test_irish_holidays(self):
        ireland = Calendar("IE")
        for day in ["2026-02-02", "2030-02-01", "2026-05-04", "2026-06-01", "2026-08-03", "2026-10-26"]:
            self.assertFalse(ireland.is_working(date.fromisoformat(day)), day)


class Zones(unittest.TestCase):
    def test_the_day_of_receipt_is_the_controllers(self):
        late = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)  # 1 February in Berlin, still January in Dublin
        self.assertEqual(rules("Europe/Berlin").due_day(late).isoformat(), "2026-03-02")  # the 1st is a Sunday
        self.assertEqual(rules("Europe/Dublin").due_day(late).isoformat(), "2026-03-02")  # 28 February a Saturday
        self.assertEqual(rules("Europe/Berlin").due_day(late.replace(month=4, day=30)).isoformat(), "2026-06-01")
        self.assertEqual(rules("Pacific/Pago_Pago").due_day(late.replace(month=4, day=30)).isoformat(), "2026-06-01")

    def test_the_end_of_a_day_across_a_change_of_clocks(self):
        berlin = rules()
        self.assertEqual(berlin.end_of(date(2026, 3, 29)).isoformat(), "2026-03-29T22:00:00+00:00")
        self.assertEqual(berlin.end_of(date(2026, 3, 28)).isoformat(), "2026-03-28T23:00:00+00:00")
        self.assertEqual(berlin.end_of(date(2026, 10, 25)).isoformat(), "2026-10-25T23:00:00+00:00")
        self.assertEqual(rules("Asia/Beirut").end_of(date(2021, 3, 27)).isoformat(), "2021-03-27T22:00:00+00:00")

    def test_a_day_ends_where_the_next_begins_in_every_zone(self):
        random.seed(7)
        for _ in range(3000):
            zone = ZoneInfo(random.choice(ZONES))
            day = date(2015, 1, 1) + timedelta(random.randrange(9000))
            end = Rules(zone, PLAIN).end_of(day)
            last = (end - timedelta(microseconds=1)).astimezone(zone).date()
            self.assertLessEqual(last, day, (zone.key, day))
            self.assertGreater(end.astimezone(zone).date(), day, (zone.key, day))

    def test_properties_of_the_due_day(self):
        random.seed(11)
        for _ in range(5000):
            zone, country = random.choice(ZONES), random.choice([None, "DE", "FR", "IE"])
            rule = rules(zone, Calendar(country))
            received = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=random.randrange(10**9))
            due, extended = rule.due_day(received), rule.due_day(received, extended=True)
            day = received.astimezone(rule.zone).date()
            case = (zone, country, received)
            self.assertTrue(rule.calendar.is_working(due), case)
            self.assertTrue(28 <= (due - day).days <= 36, case)
            self.assertTrue(50 <= (extended - due).days <= 70, case)
            self.assertGreaterEqual(due, add_months(day, 1), case)
            between = [add_months(day, 1) + timedelta(n) for n in range((due - add_months(day, 1)).days)]
            self.assertFalse(any(rule.calendar.is_working(other) for other in between), case)
            self.assertGreater(rule.end_of(due), received, case)
            for days, at in rule.reminders(due):
                self.assertEqual(rule.days_left(due, at), days, case)
            self.assertEqual(rule.days_left(due, rule.end_of(due)), -1, case)
            self.assertEqual(rule.days_left(due, rule.end_of(due) - timedelta(seconds=1)), 0, case)


class Extensions(unittest.TestCase):
    def test_two_further_months_from_receipt(self):
        received = noon("2026-11-30")
        self.assertEqual(rules().due_day(received).isoformat(), "2026-12-30")
        self.assertEqual(rules().extend(received, noon("2026-12-01"), "complex").isoformat(), "2027-03-01")

    def test_the_last_moment_of_the_first_month_is_in_time_and_the_next_is_not(self):
        received, berlin = noon("2026-05-20"), rules()
        end = berlin.end_of(berlin.due_day(received))
        self.assertEqual(berlin.extend(received, end - timedelta(seconds=1), "complex").isoformat(), "2026-08-20")
        with self.assertRaisesRegex(ExtensionRefused, "was due on 2026-06-22"):
            berlin.extend(received, end, "complex")

    def test_without_a_reason_nothing_is_extended(self):
        with self.assertRaisesRegex(ExtensionRefused, "needs a reason"):
            rules().extend(noon("2026-05-20"), noon("2026-05-21"), "  ")


if __name__ == "__main__":
    unittest.main()
