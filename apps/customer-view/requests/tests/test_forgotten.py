"""The search for what is left of somebody finds what is there."""

import tempfile
import unittest
from pathlib import Path

from .forgotten import Words, in_files

ADA = {"canary": "bcdfghjklmpqrtvwxzbcd", "mobile": "+4915112345678"}
BOB = {"canary": "zxwvtrqpmlkjhgfdcbzxw", "mobile": None}


class Search(unittest.TestCase):
    def setUp(self):
        self.words = Words([ADA, BOB])

    def found(self, text: str) -> set[str]:
        return self.words.find(text.encode())

    def test_a_word_is_found_whatever_slip_or_letters(self):
        word = ADA["canary"]
        wrong, swapped = word[:5] + "a" + word[6:], word[:6] + word[7] + word[6] + word[8:]
        for said in (word, word.upper(), f"Ada{word} 12", wrong, swapped):
            self.assertEqual(self.found(f'{{"given": "{said}"}}'), {word}, said)
        self.assertEqual(self.found(f"{word} {BOB['canary']}"), {word, BOB["canary"]})

    def test_a_number_is_found_however_it_is_written(self):
        for said in ("+4915112345678", "015112345678", "004915112345678", "15112345678"):
            self.assertEqual(self.found(said), {ADA["canary"]}, said)

    def test_others_are_not(self):
        self.assertEqual(self.found("Adalbert Schwartz, +4915112345679, bcdfgh jklmpq"), set())

    def test_files_are_searched_with_their_names(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "rows.db").write_bytes(b"\0\xff" + ADA["canary"].encode() + b"\0")
            Path(folder, BOB["canary"]).write_bytes(b"")
            found = in_files(self.words, Path(folder))
        self.assertEqual(found, {ADA["canary"]: {"rows.db"}, BOB["canary"]: {BOB["canary"]}})


if __name__ == "__main__":
    unittest.main()
