//! Reading a text from front to back.

/// What is left to read.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl Cursor<'_> {
    /// How many digits come next.
    pub(super) fn run_of_digits(&self) -> usize {
        self.0.iter().take_while(|b| b.is_ascii_digit()).count()
    }

    /// Exactly this many digits, at most nine.
    pub(super) fn digits(&mut self, count: usize) -> Option<i64> {
        let mut value: i64 = 0;
        for _ in 0..count {
            let digit = self.one().filter(u8::is_ascii_digit)?.checked_sub(b'0')?;
            value = value.checked_mul(10)?.checked_add(digit.into())?;
        }
        Some(value)
    }

    /// The next byte.
    pub(super) fn one(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// This byte, if it comes next.
    pub(super) fn take(&mut self, byte: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[byte])?;
        Some(())
    }
}
