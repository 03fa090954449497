//! Tables of text for people.

/// Lines of cells, each column as wide as its widest but the last.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    // What sites and users wrote must not move the cursor.
    let plain = |cell: &String| cell.replace(char::is_control, " ");
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(plain).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let row = |cells: &[&str]| cells.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>();
        let rows = [row(&["ID", "NAME"]), row(&["12", "a\u{1b}[2Jb\nc"]), row(&["123", ""])];
        assert_eq!(table(&rows), "ID   NAME\n12   a [2Jb c\n123");
        assert_eq!(table(&[]), "");
    }
}
