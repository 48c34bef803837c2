//! What of a page of the file is nobody's. `secure_delete` blanks what a deletion frees, but not the copies
//! that stay behind in a page when its rows move to another: those are found here.
//!
//! A page of a B-tree is a header, the places of its cells, a gap, and the cells. What the gap holds is never
//! read. Every other kind of page is blank or begins with the number of a page, whose first byte is that of no
//! B-tree as long as the file has less than 2^25 pages. Half of that is the bound here: a file grows by less
//! than that at a time. In larger files (64 GiB) pages are left as they are.

/// Where the header of a B-tree begins in the file's first page.
const FILE_HEADER: usize = 100;
/// Pages of a file in which numbers of pages cannot be told from kinds of B-trees by their first byte.
const TOO_MANY_PAGES: u64 = 1 << 24;

/// The gap of the page that is written at `offset` of a file of so many bytes, if there is one that is not blank.
pub(super) fn stale(page: &[u8], offset: u64, file_size: u64) -> Option<std::ops::Range<usize>> {
    let size = page.len() as u64;
    if !is_whole(size, offset) || offset.max(file_size) / size >= TOO_MANY_PAGES {
        return None;
    }
    let header = if offset == 0 { FILE_HEADER } else { 0 };
    let header_length = match *page.get(header)? {
        0x0a | 0x0d => 8,
        0x02 | 0x05 => 12,
        _not_a_tree => return None,
    };
    let number = |at: usize| {
        let bytes: [u8; 2] = page.get(at..at + 2)?.try_into().ok()?;
        Some(usize::from(u16::from_be_bytes(bytes)))
    };
    let cells = number(header + 3)?;
    let content = match number(header + 5)? {
        0 => 65_536,
        begin => begin,
    };
    let gap = header + header_length + 2 * cells..content;
    let is_blank = page.get(gap.clone())?.iter().all(|byte| *byte == 0);
    (!is_blank).then_some(gap)
}

/// Pages are written whole; their size is a power of two.
fn is_whole(size: u64, offset: u64) -> bool {
    size.is_power_of_two() && (512..=65_536).contains(&size) && offset.is_multiple_of(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 1 << 20;

    /// A leaf with one cell at the end and something left over in the gap.
    fn leaf(header: usize) -> Vec<u8> {
        let mut page = vec![0; 4096];
        page[header] = 0x0d;
        page[header + 4] = 1;
        page[header + 5..header + 7].copy_from_slice(&4000_u16.to_be_bytes());
        page[header + 8..header + 10].copy_from_slice(&4000_u16.to_be_bytes());
        page[4000..].fill(b'c');
        page[2000..2010].fill(b'o');
        page
    }

    #[test]
    fn what_is_between_the_places_of_cells_and_the_cells_is_stale() {
        assert_eq!(stale(&leaf(0), 4096, SIZE), Some(10..4000));
        assert_eq!(stale(&leaf(FILE_HEADER), 0, SIZE), Some(110..4000));
        let mut inner = leaf(0);
        inner[0] = 0x05;
        assert_eq!(stale(&inner, 8192, SIZE), Some(14..4000));
    }

    #[test]
    fn a_blank_gap_is_left_alone() {
        let mut page = leaf(0);
        page[10..4000].fill(0);
        assert_eq!(stale(&page, 4096, SIZE), None);
    }

    #[test]
    fn what_is_no_tree_or_not_understood_is_left_alone() {
        let mut overflow = leaf(0);
        overflow[0] = 0;
        assert_eq!(stale(&overflow, 4096, SIZE), None, "a page of overflow");
        assert_eq!(stale(&leaf(0), 4097, SIZE), None, "not a page");
        assert_eq!(stale(&leaf(0)[..100], 4096, SIZE), None, "not whole");
        assert_eq!(stale(&leaf(0), 4096, 64 << 30), None, "a huge file");
        assert_eq!(stale(&leaf(0), 64 << 30, SIZE), None, "a file that becomes huge");
        let mut backwards = leaf(0);
        backwards[3] = 0xff;
        assert_eq!(stale(&backwards, 4096, SIZE), None, "cells behind their content");
        let mut beyond = leaf(0);
        beyond[5..7].fill(0);
        assert_eq!(stale(&beyond, 4096, SIZE), None, "content behind the page");
    }
}
