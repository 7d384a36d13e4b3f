//! How do people read the figures of a cell?

use super::summary::Summary;
use crate::meter::as_f64;

/// A Markdown table, the cheapest client first.
pub(super) fn table(cell: &str, rounds: usize, summaries: &[Summary]) -> String {
    let mut rows: Vec<&Summary> = summaries.iter().collect();
    rows.sort_by(|one, other| one.cpu_ns_median.total_cmp(&other.cpu_ns_median));
    let mut text = format!(
        "\n### {cell}, {rounds} rounds\n\n\
         | client | CPU ns/record | min - max | x floor | M records/s | peak RSS MiB | \
         fetched/delivered |\n|---|---|---|---|---|---|---|\n"
    );
    for row in rows {
        let amplification = row.fetched_over_delivered;
        let amplification = amplification.map_or_else(|| "-".to_owned(), |it| format!("{it:.3}"));
        text += &format!(
            "| {} | {:.1} | {:.1} - {:.1} | {:.2} | {:.2} | {:.0} | {amplification} |\n",
            row.client,
            row.cpu_ns_median,
            row.cpu_ns_min,
            row.cpu_ns_max,
            row.times_floor,
            row.million_records_per_s,
            as_f64(row.peak_rss_bytes) / 1_048_576.0,
        );
    }
    text
}
