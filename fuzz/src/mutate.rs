//! New inputs from old ones.

/// Inputs do not grow beyond this, in bytes.
const LONGEST: usize = 4096;
/// Numbers at the edges of types and of common sense.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1",
    "60",
    "255",
    "65536",
    "2147483648",
    "4294967296",
    "9223372036854775808",
    "18446744073709551616",
    "1e999",
    "0.1",
];

/// Makes inputs; always the same ones in the same order.
#[derive(Debug)]
pub(crate) struct Mutator<'w> {
    words: &'w [&'w str],
    state: u64,
}

impl<'w> Mutator<'w> {
    pub(crate) fn new(words: &'w [&'w str]) -> Self {
        Self {
            words,
            state: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// One of the corpus, changed in one or several places.
    pub(crate) fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        // what was found last leads furthest
        let recent = self.below(4) == 0;
        let from = if recent { corpus.len().saturating_sub(8) } else { 0 };
        let mut input = corpus[from + self.below(corpus.len() - from)].clone();
        for _ in 0..=self.below(4) {
            let other = self.below(corpus.len());
            self.change(&mut input, &corpus[other]);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let (from, to) = self.range(input.len());
        match self.below(10) {
            0 if from < input.len() => input[from] ^= 1 << self.below(8),
            1 => put(input, from, from, &[self.byte()]),
            2 => put(input, from, to, &[]),
            3 | 4 if !self.words.is_empty() => {
                let word = self.words[self.below(self.words.len())];
                let end = if self.below(2) == 0 { from } else { to };
                put(input, from, end, word.as_bytes());
            }
            5 => {
                let (begin, end) = self.range(other.len());
                put(input, from, to, &other[begin..end]);
            }
            6 => {
                let piece = input[from..to].to_vec();
                put(input, from, from, &piece);
            }
            7 => {
                let piece = input[from..to.min(from + 8)].repeat(1 << self.below(9));
                put(input, from, from, &piece);
            }
            8 => {
                let number = NUMBERS[self.below(NUMBERS.len())];
                let digits = input[from..].iter().take_while(|b| b.is_ascii_digit()).count();
                put(input, from, from + digits, number.as_bytes());
            }
            _ if from < input.len() => input[from] = self.byte(),
            _ => input.push(self.byte()),
        }
    }

    /// Bytes that parsers look at, and sometimes any.
    fn byte(&mut self) -> u8 {
        const TELLING: &[u8] = b"\0\n\r\t \"'`()[]{}<>,.:;=&%+-*/\\?!|^~@#$_aZ09\x7f\x80\xc3\xe2\xf0\xff";
        match self.below(4) {
            0 => u8::try_from(self.below(256)).expect("it is below 256"),
            _ => TELLING[self.below(TELLING.len())],
        }
    }

    /// Mostly short ones.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let from = self.below(length + 1);
        let most = 1 << self.below(9);
        let size = self.below(most + 1);
        (from, length.min(from + size))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 33).map_or(0, |number| number % bound.max(1))
    }
}

fn put(input: &mut Vec<u8>, from: usize, to: usize, piece: &[u8]) {
    if input.len() + piece.len() <= 2 * LONGEST {
        input.splice(from..to, piece.iter().copied());
    }
}
