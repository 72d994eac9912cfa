//! A filter as the questions that SQLite is asked: one for the events of a part, one for its missed runs.

use model::outcome::Reason;
use model::slot::Slot;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::{EventFilter, LIMIT_MAX, StoredEvent, steps_of};
use crate::epochs::ceil_ms;
use crate::part::PartInfo;
use crate::reader::{StoredRun, body};

/// The filter with times in ms and the prefix as a range of ids.
pub(super) struct Conditions<'a> {
    pub(super) filter: &'a EventFilter,
    pub(super) since_ms: i64,
    pub(super) until_ms: i64,
    ids: ([u8; 16], [u8; 16]),
    pub(super) seqs: std::ops::Range<i64>,
    pub(super) limit: usize,
    /// One millisecond without manual runs, which the index over times does not hold.
    pub(super) scheduled_only: bool,
}

impl<'a> Conditions<'a> {
    /// `None` if nothing can match.
    pub(super) fn of(filter: &'a EventFilter) -> Option<Self> {
        let ids = match &filter.slot_prefix {
            Some(prefix) => id_range(prefix)?,
            None => ([0; 16], [0xff; 16]),
        };
        let limit = filter.limit.min(LIMIT_MAX);
        let seq = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
        let from = filter.after_seq.map_or(0, |after| seq(after).saturating_add(1));
        let to = filter.before_seq.map_or(i64::MAX, seq);
        let since_ms = filter.since.map_or(i64::MIN, ceil_ms);
        let until_ms = filter.until.map_or(i64::MAX, ceil_ms);
        let possible = limit > 0 && from < to && since_ms < until_ms;
        possible.then_some(Self {
            filter,
            since_ms,
            until_ms,
            ids,
            seqs: from..to,
            limit,
            scheduled_only: false,
        })
    }

    pub(super) fn let_through(&self, seq: i64, slot: &Slot) -> bool {
        let at = slot.scheduled.as_millis();
        let id = slot.id.as_bytes();
        self.seqs.contains(&seq)
            && (self.since_ms..self.until_ms).contains(&at)
            && self.ids.0 <= *id
            && *id <= self.ids.1
    }

    /// Whether the filter lets events with this reason through.
    fn takes(&self, reason: Reason) -> bool {
        let EventFilter { verdicts, reasons, .. } = self.filter;
        (verdicts.is_empty() || verdicts.contains(&reason.verdict()))
            && (reasons.is_empty() || reasons.contains(&reason))
    }

    /// What both tables have in common: stream and reason.
    fn common(&self, sql: &mut String, values: &mut Vec<Value>) {
        let filter = self.filter;
        if filter.scenario.is_some() || filter.region.is_some() {
            sql.push_str(" AND stream IN (SELECT id FROM streams WHERE 1");
            if let Some(name) = &filter.scenario {
                sql.push_str(" AND (0");
                for name in std::iter::once(name).chain(&filter.former) {
                    sql.push_str(" OR scenario = ? OR substr(scenario, 1, length(?) + 1) = ? || '['");
                    values.extend(std::iter::repeat_n(Value::Text(name.clone()), 3));
                }
                sql.push(')');
            }
            if let Some(region) = &filter.region {
                sql.push_str(" AND region = ?");
                values.push(Value::Text(region.clone()));
            }
            sql.push(')');
        }
        if !filter.verdicts.is_empty() || !filter.reasons.is_empty() {
            sql.push_str(" AND reason IN (''");
            for reason in Reason::ALL.iter().filter(|reason| self.takes(**reason)) {
                sql.push_str(", ?");
                values.push(Value::Text(reason.as_str().to_owned()));
            }
            sql.push(')');
        }
    }

    fn order(&self) -> &'static str {
        if self.filter.newest_first { "DESC" } else { "ASC" }
    }

    pub(super) fn events(
        &self,
        conn: &Connection,
        (part, room): (&PartInfo, usize),
        steps: &mut u64,
    ) -> rusqlite::Result<Vec<StoredEvent>> {
        // The index begins with the number, so the order is the same; its own words must be in the question.
        let by_index = part.is_indexed && !self.scheduled_only && !self.takes(Reason::Ok);
        let from = if by_index { "events INDEXED BY events_not_ok" } else { "events" };
        let mut sql = format!(
            "SELECT seq, (SELECT body FROM bodies WHERE bodies.seq = events.seq) FROM {from}
             WHERE seq >= ? AND seq < ?"
        );
        if by_index {
            sql.push_str(" AND reason <> 'ok'");
        }
        let mut values = vec![Value::Integer(self.seqs.start), Value::Integer(self.seqs.end)];
        if self.scheduled_only {
            // The words of the index, and one value: else the planner would go through the rows by their numbers.
            sql.push_str(" AND manual = 0 AND scheduled = ?");
            values.push(Value::Integer(self.since_ms));
        } else if self.filter.since.is_some() || self.filter.until.is_some() {
            sql.push_str(" AND scheduled >= ? AND scheduled < ?");
            values.extend([Value::Integer(self.since_ms), Value::Integer(self.until_ms)]);
        }
        if self.filter.slot_prefix.is_some() {
            sql.push_str(" AND slot >= ? AND slot <= ?");
            values.extend([Value::Blob(self.ids.0.to_vec()), Value::Blob(self.ids.1.to_vec())]);
        }
        self.common(&mut sql, &mut values);
        sql.push_str(" ORDER BY seq ");
        sql.push_str(self.order());
        sql.push_str(" LIMIT ?");
        values.push(Value::Integer(room.cast_signed() as i64));
        let mut select = conn.prepare_cached(&sql)?;
        let mut rows = select.query(params_from_iter(values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            if let Some(event) = body(row, 1)? {
                found.push(StoredEvent { seq: row.get::<_, i64>(0)?.cast_unsigned(), event });
            }
        }
        drop(rows);
        *steps += steps_of(&select);
        Ok(found)
    }

    pub(super) fn runs(
        &self,
        conn: &Connection,
        room: usize,
        steps: &mut u64,
    ) -> rusqlite::Result<Vec<StoredRun>> {
        let columns = StoredRun::COLUMNS;
        // The plus keeps the planner with the numbers: a run that holds one of them begins not far before it.
        let mut sql = format!(
            "SELECT {columns} FROM missed
             WHERE seq > ? AND seq + count > ? AND seq < ? AND +last_ms >= ? AND first_ms < ?"
        );
        let reach = self.seqs.start.saturating_sub(i64::from(model::missed::COUNT_MAX));
        let mut values: Vec<Value> =
            [reach, self.seqs.start, self.seqs.end, self.since_ms, self.until_ms].map(Value::Integer).into();
        self.common(&mut sql, &mut values);
        sql.push_str(" ORDER BY seq ");
        sql.push_str(self.order());
        // With a prefix most runs give nothing, so their number says nothing about the room.
        if self.filter.slot_prefix.is_none() {
            sql.push_str(" LIMIT ?");
            // A run at the border of the window may give nothing.
            values.push(Value::Integer(room.saturating_mul(2).saturating_add(64).cast_signed() as i64));
        }
        let mut select = conn.prepare_cached(&sql)?;
        let runs: rusqlite::Result<Vec<_>> =
            select.query_map(params_from_iter(values), StoredRun::read)?.collect();
        *steps += steps_of(&select);
        runs
    }
}

/// The lowest and the highest id that begin with these digits.
fn id_range(prefix: &str) -> Option<([u8; 16], [u8; 16])> {
    let hex = prefix.len() <= 32 && prefix.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parse = |fill: &str| {
        let digits: String = prefix.chars().chain(fill.repeat(32 - prefix.len()).chars()).collect();
        u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)
    };
    if hex { Some((parse("0")?, parse("f")?)) } else { None }
}
