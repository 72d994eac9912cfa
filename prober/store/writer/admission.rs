//! Which records join the group: a slot has one that counts, in this part or in an older one.
//!
//! Every look-up that the disk fails is tried again as a commit is, so that nothing counts twice for want of an answer.

use std::sync::Arc;

use model::event::SliEvent;
use model::missed::MissedSlots;

use super::{WriteError, Writer};
use crate::append::{Group, Lookup, Tail};
use crate::error::ReadError;
use crate::part;

impl Writer {
    pub(super) fn add_event(&mut self, event: Arc<SliEvent>) -> Result<(), WriteError> {
        if self
            .insist(|writer| writer.look_up(|tail, group, lookup| tail.is_duplicate(group, &event, lookup)))?
        {
            self.group.duplicates += 1;
        } else {
            self.tail.add_event(&mut self.group, event);
        }
        Ok(())
    }

    /// Adds the event though its slot is missed so far; a slot that has an event keeps it.
    pub(super) fn add_late(&mut self, event: Arc<SliEvent>) -> Result<(), WriteError> {
        let missed = self.insist(|writer| {
            writer.look_up(|tail, group, lookup| {
                Ok(tail.is_duplicate(group, &event, lookup)?.then(|| tail.stream_of(&event)))
            })
        })?;
        let Some((stream, at_ms)) = missed else {
            self.tail.add_event(&mut self.group, event);
            return Ok(());
        };
        let held = self.group.holds_event(stream, at_ms)
            || self.insist(|writer| writer.look_up_event(stream, at_ms))?;
        if held {
            self.group.duplicates += 1;
        } else {
            self.group.upgraded.push((stream, at_ms));
            self.tail.add_event(&mut self.group, event);
        }
        Ok(())
    }

    /// Adds the event in the place of the one that its slot has, if that is held.
    ///
    /// The held one stays stored, and readers that follow the sequence see both; in the account only the later counts.
    pub(super) fn add_settled(&mut self, event: Arc<SliEvent>) -> Result<(), WriteError> {
        // What it takes the place of may still be in the group.
        self.insist(Self::commit)?;
        let at_ms = event.slot.scheduled.as_millis();
        let stream = self.tail.heads.get(&event.origin.stream).map(|head| head.id);
        let held = match stream {
            Some(stream) if event.trigger.is_scheduled() => {
                self.insist(|writer| writer.look_up_held(stream, at_ms))?.then_some(stream)
            }
            _ => None,
        };
        match held {
            Some(stream) => {
                self.group.settled.push((stream, at_ms));
                self.tail.add_event(&mut self.group, event);
            }
            None => self.group.duplicates += 1,
        }
        Ok(())
    }

    /// Whether the slot's event is one that is held and that nothing has taken the place of.
    fn look_up_held(&mut self, stream: i64, at_ms: i64) -> Result<bool, WriteError> {
        let conn = &self.part.conn;
        let here = part::holds_held(conn, stream, at_ms)
            .and_then(|held| Ok((held, part::holds_event(conn, stream, at_ms)?)));
        let here = here.map_err(|error| ReadError::of(&self.part.info.path, error))?;
        match here {
            (true, _) => Ok(true),
            (false, true) => Ok(false),
            _ => {
                // In which older part the held one stayed says nothing of what has taken its place in another one.
                let (slot, name) = ((stream, at_ms), &self.part.info.name);
                let is_taken = self.older.older_part_holds(name, slot, part::holds_other)?;
                Ok(!is_taken && self.older.older_part_holds(name, slot, part::holds_held)?)
            }
        }
    }

    /// Whether a file holds an event of the slot, or a reason why it must have none.
    fn look_up_event(&mut self, stream: i64, at_ms: i64) -> Result<bool, WriteError> {
        let here = part::holds_event(&self.part.conn, stream, at_ms);
        if here.map_err(|error| ReadError::of(&self.part.info.path, error))? {
            return Ok(true);
        }
        Ok(self.older.older_part_holds(&self.part.info.name, (stream, at_ms), part::holds_event)?)
    }

    pub(super) fn add_missed(&mut self, run: &MissedSlots) -> Result<(), WriteError> {
        let fresh =
            self.insist(|writer| writer.look_up(|tail, group, lookup| tail.fresh(group, run, lookup)))?;
        let kept: u64 = fresh.iter().map(|run| u64::from(run.count)).sum();
        self.group.duplicates += u64::from(run.count).saturating_sub(kept);
        for run in fresh {
            self.tail.add_missed(&mut self.group, run);
        }
        Ok(())
    }

    fn look_up<T>(
        &mut self,
        ask: impl FnOnce(&Tail, &Group, &mut Lookup<'_>) -> Result<T, ReadError>,
    ) -> Result<T, WriteError> {
        let (part, older) = (&self.part, &mut self.older);
        let mut lookup = |stream, at_ms| {
            let here = part::holds_slot(&part.conn, stream, at_ms);
            if here.map_err(|error| ReadError::of(&part.info.path, error))? {
                return Ok(true);
            }
            older.older_part_holds(&part.info.name, (stream, at_ms), part::holds_slot)
        };
        Ok(ask(&self.tail, &self.group, &mut lookup)?)
    }
}
