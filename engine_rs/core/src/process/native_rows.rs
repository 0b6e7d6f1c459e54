//! Reads the Native blocks that the rebuild queries give: the few plain types that they select.

use crate::varint;

/// Why a result cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NativeError {
    /// Bytes are missing.
    #[error("the result is cut short")]
    Truncated,
    /// A type that rebuild queries do not select.
    #[error("column {0} has the type {1}, which is not read here")]
    Type(String, String),
    /// Not the columns that the query selects.
    #[error("the result has {0} columns, not the {1} that the query selects")]
    Columns(usize, usize),
}

/// The values of one column.
#[derive(Debug)]
pub enum Column<'a> {
    /// `String`
    Text(Vec<&'a [u8]>),
    /// Whole numbers of up to 64 bits, as their bits.
    Number(Vec<u64>),
    /// `UUID`
    Uuid(Vec<u128>),
}

impl<'a> Column<'a> {
    /// A text; empty where the column is not of texts.
    pub fn text(&self, row: usize) -> &'a [u8] {
        match self {
            Self::Text(texts) => texts[row],
            _ => &[],
        }
    }

    /// A number; 0 where the column is not of numbers.
    pub fn number(&self, row: usize) -> u64 {
        match self {
            Self::Number(numbers) => numbers[row],
            _ => 0,
        }
    }

    /// A UUID; 0 where the column is not of UUIDs.
    pub fn uuid(&self, row: usize) -> u128 {
        match self {
            Self::Uuid(uuids) => uuids[row],
            _ => 0,
        }
    }
}

/// Calls `visit` with the columns and the row count of every block in `native`.
///
/// # Errors
/// See [`NativeError`]; blocks before the error have been visited.
pub fn each_block<'a>(
    mut native: &'a [u8],
    columns: usize,
    mut visit: impl FnMut(&[Column<'a>], usize),
) -> Result<(), NativeError> {
    while !native.is_empty() {
        let count = number(&mut native)?;
        let rows = number(&mut native)?;
        if count == 0 {
            continue;
        }
        if count != columns {
            return Err(NativeError::Columns(count, columns));
        }
        let read = (0..count)
            .map(|_| column(&mut native, rows))
            .collect::<Result<Vec<_>, _>>()?;
        visit(&read, rows);
    }
    Ok(())
}

fn number(native: &mut &[u8]) -> Result<usize, NativeError> {
    varint::take(native)
        .and_then(|number| usize::try_from(number).ok())
        .ok_or(NativeError::Truncated)
}

fn column<'a>(native: &mut &'a [u8], rows: usize) -> Result<Column<'a>, NativeError> {
    let name = varint::take_bytes(native).ok_or(NativeError::Truncated)?;
    let kind = varint::take_bytes(native).ok_or(NativeError::Truncated)?;
    Ok(match kind {
        b"String" => Column::Text(
            (0..rows)
                .map(|_| varint::take_bytes(native).ok_or(NativeError::Truncated))
                .collect::<Result<_, _>>()?,
        ),
        b"UInt8" | b"Bool" => Column::Number(
            fixed::<1>(native, rows)?
                .map(|[byte]| u64::from(*byte))
                .collect(),
        ),
        b"Int32" => Column::Number(
            fixed::<4>(native, rows)?
                .map(|bytes| i64::from(i32::from_le_bytes(*bytes)) as u64)
                .collect(),
        ),
        b"UInt64" | b"Int64" => Column::Number(
            fixed::<8>(native, rows)?
                .map(|bytes| u64::from_le_bytes(*bytes))
                .collect(),
        ),
        b"UUID" => Column::Uuid(
            fixed::<16>(native, rows)?
                .map(|bytes| u128::from_le_bytes(*bytes).rotate_left(64))
                .collect(),
        ),
        other => {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            return Err(NativeError::Type(text(name), text(other)));
        }
    })
}

fn fixed<'a, const N: usize>(
    native: &mut &'a [u8],
    rows: usize,
) -> Result<impl Iterator<Item = &'a [u8; N]>, NativeError> {
    let length = rows.checked_mul(N).ok_or(NativeError::Truncated)?;
    let (values, rest) = native
        .split_at_checked(length)
        .ok_or(NativeError::Truncated)?;
    *native = rest;
    Ok(values.as_chunks::<N>().0.iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_one_after_the_other() {
        let one =
            b"\x03\x02\x01a\x06String\x02hi\0\x01b\x05Int32\xff\xff\xff\xff\x02\0\0\0\x01c\x04UUID";
        let mut native = one.to_vec();
        native.extend(1u64.to_le_bytes());
        native.extend(2u64.to_le_bytes());
        native.extend([0; 16]);
        let twice = [native.clone(), native.clone()].concat();
        let mut seen = Vec::new();
        each_block(&twice, 3, |columns, rows| {
            for row in 0..rows {
                seen.push((
                    columns[0].text(row).to_vec(),
                    columns[1].number(row) as i64,
                    columns[2].uuid(row),
                ));
            }
        })
        .unwrap();
        assert_eq!(seen[0], (b"hi".to_vec(), -1, 1 << 64 | 2));
        assert_eq!(seen[1], (vec![], 2, 0));
        assert_eq!(seen.len(), 4);
        for cut in 1..native.len() {
            assert!(each_block(&native[..cut], 3, |_, _| ()).is_err());
        }
        assert_eq!(
            each_block(&native, 2, |_, _| ()),
            Err(NativeError::Columns(3, 2))
        );
    }

    #[test]
    fn an_unknown_type_is_named() {
        let error = each_block(b"\x01\x00\x01a\x04Date", 1, |_, _| ()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "column a has the type Date, which is not read here"
        );
    }
}
