//! Tables in Parquet: the columns of the records, and for most exports the bytes of the pictures in a column
//! `image` as `datasets` of Hugging Face expects them. Nothing is compressed, pictures are already. The same
//! rows give the same bytes.

use std::{
    io::{self, Write},
    sync::Arc,
};

use bytes::Bytes;
use parquet::{
    data_type::{ByteArray, ByteArrayType, Int64Type},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::{parser::parse_message_type, types::ColumnPath},
};

use super::columns::{Besides, Cell, Kind, columns};
use crate::model::ExportRecord;

/// Most rows of a row group.
pub(super) const GROUP_ROWS: usize = 1000;
/// Most bytes of pictures in a row group, where it has more than one.
pub(super) const GROUP_BYTES: u64 = 64 << 20;
/// Who made a file, without a version: that would change the bytes.
const CREATED_BY: &str = "PixCrawler";

/// What a table has besides the columns of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParquetLayout {
    /// A column `image` with the bytes of the picture and the name of its file.
    pub pictures: bool,
    /// A column `key`, as archives of the webdataset kind name their members: see [`key`].
    pub keys: bool,
    /// What the records have besides.
    pub besides: Besides,
}

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct ParquetRow<'a> {
    /// Of the picture in the export.
    pub position: i32,
    /// What is known of it.
    pub record: &'a ExportRecord,
}

/// Why a table could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ParquetWriteError {
    /// It cannot be written, or not so.
    #[error("cannot write the table")]
    Write(#[from] ParquetError),
    /// A picture cannot be read.
    #[error("cannot read a picture")]
    Picture(#[source] io::Error),
}

/// Name of a picture's files in an archive of the webdataset kind, up to the first dot.
#[must_use]
pub fn key(position: i32) -> String {
    format!("{position:09}")
}

/// Numbers of rows of the row groups for pictures of these sizes in bytes: up to 1 000 rows and 64 MiB of
/// pictures, and at least one picture, however large.
pub fn groups(sizes: impl IntoIterator<Item = u64>) -> Vec<usize> {
    let mut groups: Vec<usize> = Vec::new();
    let mut bytes = 0;
    for size in sizes {
        match groups.last_mut() {
            Some(rows) if *rows < GROUP_ROWS && bytes + size <= GROUP_BYTES => {
                *rows += 1;
                bytes += size;
            }
            _ => {
                groups.push(1);
                bytes = size;
            }
        }
    }
    groups
}

/// Writes a table, a row group at a time. It holds what the caller holds for a row group, three times the
/// largest picture or 1 MiB, and some hundred bytes for each column of each row group.
pub struct ParquetWriter<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    layout: ParquetLayout,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a table.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(sink: W, layout: ParquetLayout) -> Result<Self, ParquetWriteError> {
        let schema = Arc::new(parse_message_type(&schema(layout))?);
        let features = KeyValue::new("huggingface".to_owned(), features(layout).to_string());
        let bytes = ColumnPath::from(vec!["image".to_owned(), "bytes".to_owned()]);
        let properties = WriterProperties::builder()
            .set_created_by(CREATED_BY.to_owned())
            .set_key_value_metadata(Some(vec![features]))
            .set_column_dictionary_enabled(bytes.clone(), false)
            .set_column_statistics_enabled(bytes, EnabledStatistics::None)
            .build();
        Ok(Self { writer: SerializedFileWriter::new(sink, schema, Arc::new(properties))?, layout })
    }

    /// Writes a row group. `picture` gives the bytes of the picture of each row, in order, and is asked for
    /// one after another as they are written; not at all where no pictures are in the table.
    ///
    /// # Errors
    /// When it cannot be written, or a picture cannot be read: the table is lost then.
    pub fn group(
        &mut self,
        rows: &[ParquetRow<'_>],
        mut picture: impl FnMut(usize) -> io::Result<Bytes>,
    ) -> Result<(), ParquetWriteError> {
        let mut group = self.writer.next_row_group()?;
        if self.layout.pictures {
            let mut column = next(&mut group)?;
            for index in 0..rows.len() {
                let bytes = ByteArray::from(picture(index).map_err(ParquetWriteError::Picture)?);
                column.typed::<ByteArrayType>().write_batch(&[bytes], Some(&[2]), None)?;
            }
            column.close()?;
            let mut column = next(&mut group)?;
            let names: Vec<ByteArray> = rows
                .iter()
                .map(|row| row.record.file_name.rsplit('/').next().unwrap_or_default().into())
                .collect();
            column.typed::<ByteArrayType>().write_batch(&names, Some(&vec![2; names.len()]), None)?;
            column.close()?;
        }
        if self.layout.keys {
            let mut column = next(&mut group)?;
            let keys: Vec<ByteArray> = rows.iter().map(|row| key(row.position).as_str().into()).collect();
            column.typed::<ByteArrayType>().write_batch(&keys, Some(&vec![1; keys.len()]), None)?;
            column.close()?;
        }
        for column in columns(self.layout.besides) {
            write_column(&mut group, rows.iter().map(|row| (column.cell)(row.record)), column.kind)?;
        }
        group.close()?;
        Ok(())
    }

    /// Ends the table.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> Result<W, ParquetWriteError> {
        Ok(self.writer.into_inner()?)
    }
}

fn next<'g, W: Write + Send>(
    group: &'g mut SerializedRowGroupWriter<'_, W>,
) -> Result<parquet::file::writer::SerializedColumnWriter<'g>, ParquetError> {
    group.next_column()?.ok_or_else(|| ParquetError::General("the schema has too few columns".to_owned()))
}

/// Writes what the rows have in a column. Levels say where a value is: a list that is there has 1, one of its
/// texts 3.
fn write_column<'r, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    cells: impl Iterator<Item = Cell<'r>>,
    kind: Kind,
) -> Result<(), ParquetError> {
    let mut column = next(group)?;
    let (mut texts, mut numbers): (Vec<ByteArray>, Vec<i64>) = (Vec::new(), Vec::new());
    let (mut defined, mut repeated): (Vec<i16>, Vec<i16>) = (Vec::new(), Vec::new());
    for cell in cells {
        match cell {
            Cell::Text(text) => {
                defined.push(i16::from(text.is_some()));
                texts.extend(text.map(ByteArray::from));
            }
            Cell::Integer(number) => {
                defined.push(i16::from(number.is_some()));
                numbers.extend(number.map(|number| i64::try_from(number).unwrap_or(i64::MAX)));
            }
            Cell::Texts([]) => {
                defined.push(1);
                repeated.push(0);
            }
            Cell::Texts(list) => {
                defined.extend(list.iter().map(|_| 3));
                repeated.extend((0..list.len()).map(|index| i16::from(index > 0)));
                texts.extend(list.iter().map(|text| ByteArray::from(text.as_str())));
            }
        }
    }
    let repeated = (kind == Kind::Texts).then_some(&*repeated);
    match kind {
        Kind::Integer => column.typed::<Int64Type>().write_batch(&numbers, Some(&defined), repeated)?,
        Kind::Text | Kind::Texts => {
            column.typed::<ByteArrayType>().write_batch(&texts, Some(&defined), repeated)?
        }
    };
    column.close()
}

fn schema(layout: ParquetLayout) -> String {
    let mut schema = "message schema {\n".to_owned();
    if layout.pictures {
        schema += "optional group image { optional binary bytes; optional binary path (STRING); }\n";
    }
    if layout.keys {
        schema += "optional binary key (STRING);\n";
    }
    for column in columns(layout.besides) {
        let name = column.name;
        schema += &match column.kind {
            Kind::Text => format!("optional binary {name} (STRING);\n"),
            Kind::Texts => {
                format!(
                    "optional group {name} (LIST) {{ repeated group list {{ optional binary element (STRING); }} }}\n"
                )
            }
            Kind::Integer => format!("optional int64 {name};\n"),
        };
    }
    schema + "}"
}

/// What the columns are to `datasets`: from it come the pictures that are shown. Lists have the name that
/// its older versions know, too.
fn features(layout: ParquetLayout) -> serde_json::Value {
    let value = |dtype: &str| serde_json::json!({ "dtype": dtype, "_type": "Value" });
    let mut features = serde_json::Map::new();
    if layout.pictures {
        features.insert("image".to_owned(), serde_json::json!({ "_type": "Image" }));
    }
    if layout.keys {
        features.insert("key".to_owned(), value("string"));
    }
    for column in columns(layout.besides) {
        let feature = match column.kind {
            Kind::Text => value("string"),
            Kind::Texts => serde_json::json!({ "feature": value("string"), "_type": "Sequence" }),
            Kind::Integer => value("int64"),
        };
        features.insert(column.name.to_owned(), feature);
    }
    serde_json::json!({ "info": { "features": features } })
}

#[cfg(test)]
mod tests {
    use parquet::{
        file::reader::{FileReader as _, SerializedFileReader},
        record::{Field, RowAccessor as _},
    };

    use super::*;
    use crate::model::{OriginalPicture, Provenance};

    fn records(count: usize, are_made: bool) -> Vec<ExportRecord> {
        let record = |index: usize| ExportRecord {
            file_name: format!("cat/{index}.jpg"),
            label: "cat".to_owned(),
            labels: (0..index % 3).map(|label| format!("label {label}")).collect(),
            width: 4,
            provenance: Provenance {
                title: index.is_multiple_of(2).then(|| format!("title {index}")),
                ..Provenance::default()
            },
            original: are_made.then(|| OriginalPicture {
                original_width: 8,
                original_height: 6,
                original_sha256: "ab".to_owned(),
                original_size: 100,
            }),
            ..ExportRecord::default()
        };
        (0..count).map(record).collect()
    }

    fn table(layout: ParquetLayout, records: &[ExportRecord], rows: usize) -> Vec<u8> {
        let mut writer = ParquetWriter::new(Vec::new(), layout).unwrap();
        for (number, group) in records.chunks(rows).enumerate() {
            let rows: Vec<_> = (number * rows..)
                .zip(group)
                .map(|(position, record)| ParquetRow { position: i32::try_from(position).unwrap(), record })
                .collect();
            writer.group(&rows, |index| Ok(Bytes::from(vec![u8::try_from(index).unwrap(); 5]))).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn a_table_has_what_the_records_have() {
        for (pictures, keys, are_made) in [(true, false, false), (true, false, true), (false, true, false)] {
            let besides = Besides { are_made, is_split: keys };
            let layout = ParquetLayout { pictures, keys, besides };
            let records = records(7, are_made);
            let bytes = table(layout, &records, 3);
            assert_eq!(bytes, table(layout, &records, 3), "the same rows, the same bytes");
            let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
            let metadata = reader.metadata();
            assert_eq!((metadata.num_row_groups(), metadata.file_metadata().num_rows()), (3, 7));
            assert_eq!(metadata.file_metadata().created_by(), Some("PixCrawler"));
            let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
            for (index, (row, record)) in rows.iter().zip(&records).enumerate() {
                let fields: std::collections::BTreeMap<_, _> =
                    row.get_column_iter().map(|(name, field)| (name.clone(), field.clone())).collect();
                let count = columns(besides).count() + usize::from(pictures) + usize::from(keys);
                assert_eq!(fields.len(), count);
                let text = |text: &str| Field::Str(text.to_owned());
                assert_eq!(fields["title"], record.provenance.title.as_deref().map_or(Field::Null, text));
                assert_eq!(fields["width"], Field::Long(4));
                let Field::ListInternal(labels) = &fields["labels"] else { panic!("{fields:?}") };
                assert_eq!(
                    *labels.elements(),
                    record.labels.iter().map(|label| text(label)).collect::<Vec<_>>()
                );
                if pictures {
                    let Field::Group(image) = &fields["image"] else { panic!("{fields:?}") };
                    assert_eq!(image.get_bytes(0).unwrap().data(), [u8::try_from(index % 3).unwrap(); 5]);
                    assert_eq!(*image.get_string(1).unwrap(), format!("{index}.jpg"));
                }
                if keys {
                    assert_eq!(fields["key"], text(&format!("{index:09}")));
                }
            }
        }
    }

    #[test]
    fn a_table_without_rows_is_one() {
        let reader = SerializedFileReader::new(Bytes::from(table(ParquetLayout::default(), &[], 1))).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }

    #[test]
    fn row_groups_are_bounded() {
        assert_eq!(groups([]), Vec::<usize>::new());
        assert_eq!(groups(vec![1; 2001]), [1000, 1000, 1]);
        assert_eq!(groups([GROUP_BYTES + 1, 1, GROUP_BYTES - 1, 1]), [1, 2, 1]);
    }

    #[test]
    fn a_picture_that_cannot_be_read_is_said() {
        let mut writer =
            ParquetWriter::new(Vec::new(), ParquetLayout { pictures: true, ..ParquetLayout::default() })
                .unwrap();
        let records = records(1, false);
        let failed = writer
            .group(&[ParquetRow { position: 0, record: &records[0] }], |_| Err(io::Error::other("gone")));
        assert!(matches!(failed, Err(ParquetWriteError::Picture(error)) if error.to_string() == "gone"));
    }
}
