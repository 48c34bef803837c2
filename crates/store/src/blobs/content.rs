//! What an owner's row says of its content.

use bytes::Bytes;

use super::BlobId;

/// Content, or where it is. Goes into one column of the owner's row ([`Content::to_column`]).
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// The bytes themselves.
    Inline(Bytes),
    /// The bytes, encrypted, after their wrapped key.
    SealedInline(Bytes),
    /// A blob.
    Blob(BlobId),
}

/// A column that holds no content this binary knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the column does not hold content of a form that this tradewind knows")]
pub struct InvalidContent;

/// The first byte of the column: the form of the rest. Forms are only ever added.
const INLINE: u8 = 1;
const BLOB: u8 = 2;
const SEALED_INLINE: u8 = 3;

impl Content {
    /// The column's value.
    #[must_use]
    pub fn to_column(&self) -> Vec<u8> {
        let (form, rest): (u8, &[u8]) = match self {
            Self::Inline(bytes) => (INLINE, bytes),
            Self::SealedInline(bytes) => (SEALED_INLINE, bytes),
            Self::Blob(id) => (BLOB, id.as_bytes()),
        };
        let mut column = Vec::with_capacity(1 + rest.len());
        column.push(form);
        column.extend_from_slice(rest);
        column
    }

    /// The content that a column describes.
    ///
    /// # Errors
    /// When it is of no known form.
    pub fn from_column(column: &[u8]) -> Result<Self, InvalidContent> {
        match column.split_first() {
            Some((&INLINE, bytes)) => Ok(Self::Inline(Bytes::copy_from_slice(bytes))),
            Some((&SEALED_INLINE, bytes)) => Ok(Self::SealedInline(Bytes::copy_from_slice(bytes))),
            Some((&BLOB, id)) => match BlobId::from_bytes(id) {
                Ok(id) => Ok(Self::Blob(id)),
                Err(_invalid) => Err(InvalidContent),
            },
            Some(_) | None => Err(InvalidContent),
        }
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inline(bytes) | Self::SealedInline(bytes) => write!(f, "Inline({} bytes)", bytes.len()),
            Self::Blob(id) => write!(f, "Blob({id})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tradewind_model::Timestamp;

    use super::*;

    proptest! {
        #[test]
        fn a_column_gives_what_was_put(bytes: Vec<u8>, millis in 0i64..1 << 47) {
            for content in [Content::Inline(bytes.clone().into()), Content::SealedInline(bytes.into()), Content::Blob(BlobId::new(Timestamp::from_millis(millis)))] {
                prop_assert_eq!(Content::from_column(&content.to_column()), Ok(content));
            }
        }

        #[test]
        fn any_column_is_content_or_refused(column: Vec<u8>) {
            if let Ok(content) = Content::from_column(&column) {
                prop_assert_eq!(content.to_column(), column);
            }
        }
    }
}
