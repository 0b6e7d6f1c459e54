//! Rows of one table.

/// Describes a table: makes a struct that collects its rows, and a struct of one row.
///
/// ```ignore
/// table! {
///     /// Rows of `visits`.
///     pub struct Visits of Visit {
///         /// Whose.
///         project_id: LowCardinality,
///         visitor_id: Numbers<Uuid>,
///         at: Numbers<Millis>,
///     }
/// }
/// let mut visits = Visits::default();
/// visits.push(&Visit { project_id: b"demo", visitor_id: 7, at: 1_790_000_000_000 });
/// let block: Vec<u8> = visits.finish();
/// ```
macro_rules! table {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $Rows:ident of $Row:ident {
            $($(#[$field_meta:meta])* $field:ident: $Column:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        $visibility struct $Rows {
            rows: usize,
            $($field: $Column,)*
        }

        #[doc = concat!("A row of [`", stringify!($Rows), "`]; fields are named like the columns.")]
        #[derive(Debug, Clone, Copy, PartialEq)]
        #[allow(missing_docs)]
        $visibility struct $Row<'a> {
            $($(#[$field_meta])* pub $field: <$Column as $crate::block::native::Put>::Value<'a>,)*
        }

        impl $Rows {
            /// Appends a row.
            pub fn push(&mut self, row: &$Row<'_>) {
                $($crate::block::native::Put::put(&mut self.$field, self.rows, row.$field);)*
                self.rows += 1;
            }

            /// How many rows there are.
            #[must_use]
            pub fn rows(&self) -> usize {
                self.rows
            }

            /// The rows as a Native block; none are left.
            #[must_use]
            pub fn finish(&mut self) -> Vec<u8> {
                let rows = self.take_rows();
                $crate::block::native::block(rows, &mut self.columns())
            }

            fn take_rows(&mut self) -> usize {
                std::mem::take(&mut self.rows)
            }

            fn columns(&mut self) -> Vec<(&'static str, &mut dyn $crate::block::native::Column)> {
                vec![$((stringify!($field), &mut self.$field),)*]
            }
        }
    };
}

pub(crate) use table;

#[cfg(test)]
mod tests {
    use crate::block::{LowCardinality, Numbers, Texts};

    table! {
        /// Two columns.
        struct Visits of Visit {
            page: Texts,
            seconds: Numbers<u8>,
            site: LowCardinality,
        }
    }

    #[test]
    fn rows_become_a_block_and_start_again() {
        let mut visits = Visits::default();
        for (page, seconds) in [(&b"/a"[..], 3), (b"", 4)] {
            visits.push(&Visit {
                page,
                seconds,
                site: b"",
            });
        }
        assert_eq!(visits.rows(), 2);
        let block = b"\x02\x02\x04page\x06String\x02/a\0\x07seconds\x05UInt8\x03\x04";
        assert_eq!(visits.finish(), block);
        assert_eq!(visits.rows(), 0);
    }
}
