//! How the alerts of a promise begin, go on and end.

use std::sync::Arc;
use std::time::Duration;

use model::alert::{Alert, AlertId};
use model::time::Timestamp;

use crate::change::{Change, Transition};
use crate::judge::{self, Condition};
use crate::promise::Promise;
use crate::state::Slo;
use crate::watch::{Key, Watch};
use crate::words;

impl Slo {
    /// The same promise as its files say it now; keeps every count, and the regions that are still there.
    pub(crate) fn with(self, promise: Promise, now: Timestamp, changes: &mut Vec<Change>) -> Self {
        let Self { kept, regions, quiet_until, watches, adjusted, .. } = self;
        let mut next = Self::of(promise, kept);
        next.adopt_adjustments(adjusted);
        next.kept.rates.change(now.as_millis(), next.promise.slots_an_hour());
        next.quiet_until = quiet_until;
        next.adopt(regions);
        next.watches = watches;
        next.begin_period(now);
        next.disown(now, changes);
        next
    }

    /// Ends alerts whose labels would not be the same any more: to a receiver those are others.
    pub(crate) fn disown(&mut self, now: Timestamp, changes: &mut Vec<Change>) {
        let gone: Vec<Key> = self
            .watches
            .iter()
            .filter(|(key, watch)| matches!(watch, Watch::Firing(alert) if alert.id != self.id(key)))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.end(&key, now, Transition::Gone, changes);
        }
    }

    /// Ends everything that fires: the promise is no longer there.
    pub(crate) fn end_all(&mut self, now: Timestamp, changes: &mut Vec<Change>) {
        let keys: Vec<Key> = self.watches.keys().cloned().collect();
        for key in &keys {
            self.end(key, now, Transition::Gone, changes);
        }
    }

    /// Judges the promise at a tick.
    pub(crate) fn tick(&mut self, now: Timestamp, awake: Timestamp, changes: &mut Vec<Change>) {
        self.kept.history.advance(now);
        if self.kept.going.is_some_and(|going| now >= going.to) {
            self.begin_period(now);
        }
        self.apply_adjustments(now);
        if now >= self.quiet.1 {
            self.quiet = self.promise.maintenance.look(now);
        }
        let conditions = if let Some(name) = self.quiet.0.clone() {
            self.quiet_until = Some(now);
            self.unsaved = true;
            let firing: Vec<Key> = self.watches.keys().cloned().collect();
            for key in firing {
                self.end(&key, now, Transition::Muted(Arc::clone(&name)), changes);
            }
            return;
        } else {
            judge::conditions(self, now, awake)
        };
        let over: Vec<Key> = self
            .watches
            .keys()
            .filter(|key| conditions.iter().all(|condition| condition.key != **key))
            .cloned()
            .collect();
        for key in &over {
            self.end(key, now, Transition::Cleared, changes);
        }
        for condition in &conditions {
            self.step(condition, now, changes);
        }
    }

    /// Moves the watch of a condition that holds.
    fn step(&mut self, condition: &Condition, now: Timestamp, changes: &mut Vec<Change>) {
        match self.watches.get(&condition.key) {
            Some(Watch::Firing(_)) => {
                let annotations = words::annotations(self, condition, now);
                if let Some(Watch::Firing(alert)) = self.watches.get_mut(&condition.key) {
                    self.unsaved |= alert.annotations != annotations;
                    alert.annotations = annotations;
                }
                return;
            }
            None if !condition.starts => return,
            Some(Watch::Pending(_)) if !condition.starts => {
                self.watches.remove(&condition.key);
                self.unsaved = true;
                return;
            }
            Some(Watch::Pending(since)) if now.since(*since) < condition.wait => return,
            None if !condition.wait.is_zero() => {
                self.watches.insert(condition.key.clone(), Watch::Pending(now));
                self.unsaved = true;
                return;
            }
            _ => {}
        }
        let annotations = words::annotations(self, condition, now);
        let alert = Alert { id: self.id(&condition.key), starts: now, ends: None, annotations };
        changes.push(Change { alert: alert.clone(), transition: Transition::Fired });
        self.unsaved = true;
        self.watches.insert(condition.key.clone(), Watch::Firing(Box::new(alert)));
    }

    fn end(&mut self, key: &Key, now: Timestamp, transition: Transition, changes: &mut Vec<Change>) {
        let removed = self.watches.remove(key);
        self.unsaved |= removed.is_some();
        if let Some(Watch::Firing(alert)) = removed {
            let mut alert = *alert;
            // An end at or before its start is no end to a receiver.
            alert.ends = Some(now.max(alert.starts.plus(Duration::from_millis(1))));
            changes.push(Change { alert, transition });
        }
    }

    fn id(&self, (rule, severity, region): &Key) -> AlertId {
        AlertId {
            rule: *rule,
            severity: *severity,
            slo: Arc::clone(&self.promise.name),
            service: Arc::clone(&self.promise.service),
            team: Arc::clone(&self.promise.owner),
            region: region.clone(),
        }
    }
}
