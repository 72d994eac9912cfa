//! The ledger's own state as it is written down, beside the store: how far it is with each prober and each shard.

use std::collections::BTreeMap;

use fleet::{Position, Shard, Token};
use serde_json::{Value, json};

use super::{Heard, Ledger, Progress};

impl Ledger {
    /// Everything but the plans, as it is written down.
    pub(in crate::agent::fleet) fn to_json(&self) -> Value {
        let probers = self.probers.iter().map(|((region, prober), heard)| {
            let checkpoints = heard.checkpoints.iter().map(|(sequence, (shard, token, at))| {
                json!([sequence, shard.number, shard.replica, token.0, at])
            });
            json!({
                "region": region, "prober": prober, "boot": heard.boot, "through": heard.through,
                "ahead": heard.ahead, "checkpoints": checkpoints.collect::<Vec<_>>(),
            })
        });
        let shards = self.progress.iter().map(|((region, shard), progress)| {
            let tokens: Vec<_> =
                progress.tokens.iter().map(|(token, prober)| json!([token.0, prober])).collect();
            json!({
                "region": region, "number": shard.number, "replica": shard.replica, "tokens": tokens,
                "checkpoint_ms": progress.checkpoint_ms, "declared_ms": progress.declared_ms,
            })
        });
        json!({
            "position": self.position.0, "log": self.log, "probers": probers.collect::<Vec<_>>(), "shards": shards.collect::<Vec<_>>(),
        })
    }

    /// Takes up what was written down; `None` if it is something else.
    pub(in crate::agent::fleet) fn take_up(&mut self, value: &Value) -> Option<()> {
        let number = |value: &Value, name: &str| value[name].as_u64();
        let numbers =
            |value: &Value| -> Option<Vec<u64>> { value.as_array()?.iter().map(Value::as_u64).collect() };
        let tokens = |value: &Value| -> Option<BTreeMap<Token, String>> {
            let token = |pair: &Value| Some((Token(pair[0].as_u64()?), pair[1].as_str()?.to_owned()));
            value.as_array()?.iter().map(token).collect()
        };
        let seat = |number: u64, replica: u64| {
            Some(Shard { number: u16::try_from(number).ok()?, replica: u16::try_from(replica).ok()? })
        };
        self.position = Position(number(value, "position")?);
        self.log = number(value, "log").unwrap_or(0);
        for prober in value["probers"].as_array()? {
            let key = (prober["region"].as_str()?.to_owned(), prober["prober"].as_str()?.to_owned());
            let mut heard = Heard {
                boot: number(prober, "boot")?,
                through: number(prober, "through")?,
                ahead: numbers(&prober["ahead"])?.into_iter().collect(),
                ..Heard::default()
            };
            for checkpoint in prober["checkpoints"].as_array()? {
                let [sequence, shard, replica, token, at] = numbers(checkpoint)?[..] else { return None };
                let at = i64::try_from(at).ok()?;
                heard.checkpoints.insert(sequence, (seat(shard, replica)?, Token(token), at));
            }
            self.news.insert(key.clone());
            self.probers.insert(key, heard);
        }
        for shard in value["shards"].as_array()? {
            let key = (
                shard["region"].as_str()?.to_owned(),
                seat(number(shard, "number")?, number(shard, "replica")?)?,
            );
            let progress = Progress {
                tokens: tokens(&shard["tokens"])?,
                checkpoint_ms: shard["checkpoint_ms"].as_i64()?,
                declared_ms: shard["declared_ms"].as_i64()?,
            };
            self.progress.insert(key, progress);
        }
        Some(())
    }
}
