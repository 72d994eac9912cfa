//! The composition root: the only place that knows all parts. It wires; it measures and decides nothing.
//!
//! | module | holds |
//! | --- | --- |
//! | `files`, `secrets`, `exporters`, `load` | from files to what the parts need |
//! | `sets` | from files to the scenario sets of a fleet's regions |
//! | `serve` | start, run and stop the parts in their order |
//! | `parts`, `again` | the parts while they run; when their files are read again by themselves |
//! | `at_start` | what of the project file holds until the process ends |
//! | `pumps` | the exporters' pumps, exchanged by a reload |
//! | `controls`, `machine` | what is looked at to tell our own faults from the targets' |
//! | `self_test` | the prober's own test against targets of its own |
//! | `settle` | what becomes of slots that are held, as other regions see the target |
//! | `sink` | the runner's way into the store |
//! | `promises`, `slo` | what is promised, and the task that judges it |
//! | `recall` | stored events again, for adjustments that are learnt of later |
//! | `alerts` | the routes as receivers, and the task that owns their outlets |
//! | `account` | the invariant of the slots, looked at every minute |
//! | `metrics` | what the process says of itself |
//! | `pages` | what the pages are told: who may look, the prober's own numbers, the weekly review |
//! | `on_demand` | probes that somebody asks for at `/probe` |
//! | `fleet` | the roles of a fleet: agent and hub |
//! | `shutdown`, `notify`, `telemetry` | signals, what the service manager is told, log lines |

pub(crate) mod account;
pub(crate) mod again;
pub(crate) mod ahead;
pub(crate) mod alerts;
pub(crate) mod at_start;
pub(crate) mod controls;
pub(crate) mod exporters;
pub(crate) mod files;
pub(crate) mod fleet;
pub(crate) mod load;
pub(crate) mod machine;
pub(crate) mod metrics;
pub(crate) mod notify;
pub(crate) mod on_demand;
pub(crate) mod pages;
pub(crate) mod parts;
pub(crate) mod promises;
pub(crate) mod pumps;
pub(crate) mod recall;
#[cfg(test)]
mod sample;
pub(crate) mod secrets;
pub(crate) mod self_test;
pub(crate) mod serve;
pub(crate) mod sets;
pub(crate) mod settle;
pub(crate) mod shutdown;
pub(crate) mod sink;
pub(crate) mod slo;
#[cfg(test)]
mod table;
pub(crate) mod telemetry;
