"""The audit trail: every change, gap, move and cut is found."""

import json
import random
import unittest
from threading import Thread

from requests.domain import audit
from requests.domain.keys import Keys
from requests.service import trail
from requests.service.objects import Found

from .memory import MemoryPlatform

COUNT = 12
WHOLE = {"records": COUNT, "findings": [], "whole": True, "next": None}


class Trail(unittest.TestCase):
    def setUp(self):
        self.platform = MemoryPlatform()
        for n in range(COUNT):
            trail.note(self.platform, "test", "thing.done", request=f"r-{n}", detail={"n": n})
        self.objects = self.platform.requests.objects

    def findings(self) -> list[str]:
        return trail.verify(self.platform)["findings"]

    def head(self):
        return self.platform.requests.get(audit.HEAD).value

    def test_a_whole_trail_is_whole(self):
        self.assertEqual(trail.verify(self.platform), WHOLE | {"head": self.head()})

    def test_every_changed_bit_is_found(self):
        random.seed(3)
        for _ in range(300):
            key = audit.name(random.randint(1, COUNT))
            found = self.objects[key]
            body = bytearray(found.body)
            body[random.randrange(len(body))] ^= 1 << random.randrange(8)
            self.objects[key] = Found(bytes(body), found.etag, found.metadata)
            self.assertTrue(self.findings(), key)
            self.objects[key] = found
        self.assertEqual(self.findings(), [])

    def test_a_gap_is_found(self):
        for gap in ([1], [5], [5, 6, 7], [COUNT], [COUNT - 1, COUNT]):
            kept = {number: self.objects.pop(audit.name(number)) for number in gap}
            self.assertTrue(self.findings(), gap)
            self.objects |= {audit.name(number): found for number, found in kept.items()}

    def test_records_in_another_order_are_found(self):
        for one, other in ((1, 2), (3, 9), (11, 12)):
            a, b = audit.name(one), audit.name(other)
            self.objects[a], self.objects[b] = self.objects[b], self.objects[a]
            self.assertTrue(self.findings(), (one, other))
            self.objects[a], self.objects[b] = self.objects[b], self.objects[a]

    def test_a_chain_written_anew_without_the_key_is_found(self):
        previous, forger = audit.FIRST, b"not the key"
        for number in range(1, COUNT + 1):
            body = audit.record(number, previous, "2026-01-01T00:00:00Z", "nobody", "nothing")
            self.objects[audit.name(number)] = Found(body, "", {"mac": audit.mac(forger, body)})
            previous = audit.digest(body)
        self.assertEqual(len(self.findings()), COUNT + 1)  # the head besides

    def test_a_record_too_many_is_found(self):
        self.objects[f"{audit.PREFIX}zzz.json"] = Found(b"{}", "", {})
        self.assertEqual(self.findings(), ["`audit/zzz.json` is no record's name"])

    def test_a_head_that_is_gone_is_found_and_never_made_anew(self):
        self.objects.pop(audit.HEAD)
        for number in (COUNT - 1, COUNT):  # so that the end could be cut
            self.objects.pop(audit.name(number))
        self.assertEqual(trail.note(self.platform, "test", "thing.done"), COUNT - 1)
        self.assertEqual(len(self.findings()), 1)
        self.assertIn("missing", self.findings()[0])

    def test_a_head_written_without_the_key_is_found_and_not_followed(self):
        third = audit.digest(self.objects[audit.name(3)].body)
        for forged in ({"n": 3, "sha256": third}, {"n": COUNT + 50}, {"mac": "0"}, {"mac": None}):
            kept = dict(self.objects)
            self.platform.requests.update(audit.HEAD, lambda head: head | forged)
            self.assertRegex("|".join(self.findings()), "^`audit-head.json` was changed[^|]*$", forged)
            self.assertEqual(trail.note(self.platform, "test", "thing.done"), COUNT + 1)
            self.assertEqual(len(self.findings()), 1, forged)
            self.objects.clear()
            self.objects |= kept

    def test_a_long_trail_is_verified_in_pieces(self):
        def pieces():
            after, found, ends = 0, [], []
            while after is not None:
                piece = trail.verify(self.platform, after, 5)
                found += piece["findings"]
                ends.append((piece["records"], piece["whole"]))
                after = piece["next"]
            return found, ends

        self.assertEqual(pieces(), ([], [(5, None), (10, None), (12, True)]))
        for gap in ([1], [5], [5, 6], [4, 5, 6, 7], [11, 12], [COUNT]):
            kept = {number: self.objects.pop(audit.name(number)) for number in gap}
            self.assertTrue(pieces()[0], gap)
            self.objects |= {audit.name(number): found for number, found in kept.items()}
        self.assertEqual(pieces()[0], [])

    def test_a_key_of_its_own_signs_and_who_has_the_pepper_alone_cannot(self):
        derived, own = Keys("pepper"), Keys("pepper", audit="long and random", certificate="")
        self.assertNotEqual(own.subkey("audit"), derived.subkey("audit"))
        self.assertNotEqual(own.subkey("audit"), Keys("another", audit="short").subkey("audit"))
        self.assertEqual(own.subkey("certificate"), derived.subkey("certificate"))
        self.assertEqual(own.token("email", "a@b.example"), derived.token("email", "a@b.example"))
        self.assertEqual(own.link("status", "r-1", 1), derived.link("status", "r-1", 1))
        self.assertNotIn("random", repr(own))

    def test_many_writers_make_one_chain(self):
        def write():
            for _ in range(10):
                trail.note(self.platform, "test", "thing.done")

        writers = [Thread(target=write) for _ in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        self.assertEqual(trail.verify(self.platform)["records"], COUNT + 40)
        self.assertEqual(self.findings(), [])

    def test_no_personal_data_is_in_a_record_unless_somebody_puts_it_there(self):
        entry = json.loads(self.objects[audit.name(1)].body)
        self.assertEqual(sorted(entry), ["action", "actor", "at", "detail", "format", "n", "previous", "request"])


if __name__ == "__main__":
    unittest.main()
